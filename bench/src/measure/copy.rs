//! What copying costs: the unit that a pair of client and visible soldier is told in.

use std::hint::black_box;

use super::cpu::thread_time;

/// Bytes of a row.
const ROW_BYTES: usize = 32;

/// Copies that are measured.
const COPIES: usize = 4_000_000;

/// Nanoseconds to copy 32 bytes from a table of `rows` into a client's list of `visible`, in the
/// order in which a client would: neighbours, not the whole table in turn.
pub fn measure(rows: usize, visible: usize) -> f64 {
    let table = vec![[7_u8; ROW_BYTES]; rows.max(1)];
    let mut list = vec![[0_u8; ROW_BYTES]; visible.max(1)];
    let rounds = COPIES / list.len();
    let copy = |list: &mut [[u8; ROW_BYTES]], rounds: usize| {
        for round in 0..rounds {
            // Slots of neighbours lie anywhere in the table: a stride without a common divisor.
            let mut at = round % table.len();
            for place in list.iter_mut() {
                place.copy_from_slice(black_box(&table[at]));
                at += 61;
                if at >= table.len() {
                    at %= table.len();
                }
            }
            black_box(&mut *list);
        }
    };
    copy(&mut list, rounds / 10);
    let before = thread_time();
    copy(&mut list, rounds);
    (thread_time() - before).as_nanos() as f64 / (rounds * list.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copying_takes_time() {
        assert!(measure(100, 64) > 0.0);
    }
}
