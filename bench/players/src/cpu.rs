//! CPU time of the calling thread: wall time swings too much on shared machines.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// CPU time of the calling thread so far.
pub fn thread_time() -> Duration {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

/// CPU time of all threads of this process so far.
pub fn process_time() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

fn duration(time: Timespec) -> Duration {
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.max(0) as u32)
}

/// The middle of a few repeats, 0 without any.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_spent_by_work() {
        let before = (thread_time(), process_time());
        let sum = (0..2_000_000u64).fold(0, |sum: u64, x| std::hint::black_box(sum ^ x));
        assert_ne!(sum, u64::MAX);
        assert!(thread_time() > before.0 && process_time() > before.1);
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }
}
