//! The common beat of thousands of clients on one thread: 16 phases to a tick.
//!
//! Each client sends in a phase of its own. It looks at its socket up to four times a tick, from
//! shortly before a datagram can be there until one is: a system call costs as much as a client's
//! share of a tick.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// Phases of a tick; each sends for a sixteenth of the clients.
pub const PHASES: usize = 16;

/// Looks at a socket in a tick, most.
const LOOKS: usize = 4;

/// One client of a crowd.
pub trait Guest {
    /// Takes in what waits at its socket; gives how many datagrams that were.
    fn take(&mut self, now: Instant, scratch: &mut [u8]) -> io::Result<usize>;

    /// Sends what it has to say in this tick.
    fn say(&mut self, now: Instant, scratch: &mut [u8]) -> io::Result<()>;
}

/// The beat of a crowd.
#[derive(Debug)]
pub struct Pace {
    period: Duration,
    started: Instant,
    phase: u64,
    /// When each guest looks at its socket again.
    looks: Vec<Instant>,
    scratch: Vec<u8>,
    /// Phases that began more than a tick late.
    pub late: u64,
}

impl Pace {
    /// A beat of so many ticks a second, beginning now.
    pub fn new(tick_hz: u32) -> Self {
        Self {
            period: Duration::from_secs(1) / tick_hz.max(1),
            started: Instant::now(),
            phase: 0,
            looks: Vec::new(),
            scratch: vec![0; 2_048],
            late: 0,
        }
    }

    /// Length of a tick.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Phases begun so far.
    pub fn phases(&self) -> u64 {
        self.phase
    }

    /// Waits for the next phase, then lets the guests whose turn it is look and speak.
    ///
    /// # Errors
    /// Those of a guest's socket.
    pub fn phase(&mut self, guests: &mut [impl Guest]) -> io::Result<()> {
        let due = self.started + self.period.mul_f64(self.phase as f64 / PHASES as f64);
        let now = Instant::now();
        if let Some(wait) = due.checked_duration_since(now).filter(|wait| !wait.is_zero()) {
            thread::sleep(wait);
        } else if now - due > self.period {
            // What was missed is not made up for: a burst would be no client's behaviour.
            self.late += 1;
            self.started += now - due;
        }
        let speaks = (self.phase % PHASES as u64) as usize;
        self.phase += 1;
        self.looks.resize(guests.len(), self.started);
        let stride = PHASES / LOOKS;
        // In steps over neighbours, so that each guest has its turns a quarter of a tick apart.
        for (at, guest) in guests.iter_mut().enumerate().skip(speaks % stride).step_by(stride) {
            let now = Instant::now();
            if self.looks[at] <= now {
                let took = guest.take(now, &mut self.scratch)?;
                // The next one is not there before most of a tick has passed.
                self.looks[at] = if took > 0 { now + self.period * 5 / 8 } else { now };
            }
            if at % PHASES == speaks {
                guest.say(now, &mut self.scratch)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counting {
        looks: u32,
        words: u32,
    }

    impl Guest for Counting {
        fn take(&mut self, _now: Instant, _scratch: &mut [u8]) -> io::Result<usize> {
            self.looks += 1;
            Ok(0)
        }

        fn say(&mut self, _now: Instant, _scratch: &mut [u8]) -> io::Result<()> {
            self.words += 1;
            Ok(())
        }
    }

    #[test]
    fn everyone_speaks_once_a_tick_and_looks_four_times() {
        let mut guests: Vec<Counting> = (0..40).map(|_| Counting::default()).collect();
        let mut pace = Pace::new(1_000);
        for _ in 0..PHASES {
            pace.phase(&mut guests).unwrap();
        }
        for guest in &guests {
            assert_eq!((guest.looks, guest.words), (4, 1));
        }
    }
}
