//! The time by which join tickets expire.
//!
//! **Rule.** Tickets carry the issuer's time of day, so that is what their age is judged by; but no
//! rule of a battle follows the wall clock, which somebody may set while the battle runs. Its time
//! is taken once, and runs on from there with the time since the machine was started. In a fleet
//! the issuer's time comes with each registration, and counts instead of the machine's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time of day that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct TicketClock {
    /// Milliseconds since 1970 when the machine was started, as the clock was set then.
    origin_ms: u64,
}

impl TicketClock {
    /// Runs on from what the wall clock says now.
    #[expect(clippy::disallowed_methods, reason = "read once, to be independent of it later")]
    pub fn by_wall() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::set_to(now.as_millis() as u64)
    }

    /// Runs on from `now_ms`, milliseconds since 1970.
    pub fn set_to(now_ms: u64) -> Self {
        Self::from_origin(now_ms.saturating_sub(since_boot().as_millis() as u64))
    }

    /// Of a machine that was started at `origin_ms`, milliseconds since 1970.
    pub(crate) fn from_origin(origin_ms: u64) -> Self {
        Self { origin_ms }
    }

    /// When the machine was started by this clock, milliseconds since 1970.
    pub(crate) fn origin_ms(&self) -> u64 {
        self.origin_ms
    }

    /// How far this clock is ahead of another, milliseconds.
    pub(crate) fn ahead_of_ms(&self, other: &Self) -> i64 {
        (self.origin_ms as i64).saturating_sub(other.origin_ms as i64)
    }

    /// Now, milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.origin_ms.saturating_add(since_boot().as_millis() as u64)
    }
}

/// Time since the machine was started, sleep included; nobody sets it.
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.max(0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_on_from_where_it_was_set() {
        for set_ms in [1_795_000_000_000, 1_995_000_000_000] {
            let clock = TicketClock::set_to(set_ms);
            let began = since_boot();
            let first_ms = clock.now_ms();
            let passed_ms = (since_boot() - began).as_millis() as u64;
            assert!((set_ms..=set_ms + 1_000 + passed_ms).contains(&first_ms), "{first_ms}");
            let later_ms = clock.now_ms();
            assert!(later_ms >= first_ms);
        }
    }
}
