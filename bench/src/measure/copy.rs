//! What copying costs: the unit that a pair of client and visible soldier is told in.

use std::hint::black_box;

use sortie_players::cpu::thread_time;

/// Bytes of a row.
const ROW_BYTES: usize = 32;

/// Copies that are measured.
const COPIES: usize = 4_000_000;

/// From one row that a client sees to the next: slots of neighbours lie anywhere in the table.
const STRIDE: usize = 61;

/// Nanoseconds to copy 32 bytes from a table of `rows` into the lists of `clients`, `visible` for
/// each: what a server touches that does no more than hand everyone what it sees.
pub fn measure(rows: usize, clients: usize, visible: usize) -> f64 {
    let (rows, visible) = (rows.max(1), visible.max(1));
    let table = vec![[7_u8; ROW_BYTES]; rows];
    let mut lists = vec![[0_u8; ROW_BYTES]; clients.max(1) * visible];
    let rounds = (COPIES / lists.len()).max(1);
    let copy = |lists: &mut [[u8; ROW_BYTES]], rounds: usize| {
        for round in 0..rounds {
            for (client, list) in lists.chunks_exact_mut(visible).enumerate() {
                let mut at = (client + round) % rows;
                for place in list.iter_mut() {
                    place.copy_from_slice(black_box(&table[at]));
                    at += STRIDE;
                    if at >= rows {
                        at %= rows;
                    }
                }
            }
            black_box(&mut *lists);
        }
    };
    copy(&mut lists, rounds / 10 + 1);
    let before = thread_time();
    copy(&mut lists, rounds);
    (thread_time() - before).as_nanos() as f64 / (rounds * lists.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copying_takes_time() {
        assert!(measure(100, 100, 64) > 0.0);
    }
}
