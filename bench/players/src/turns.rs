//! Whether a program gets a processor when it wants one: on a machine that is busy with other work
//! it waits, and what it does late is not its own fault.

use std::fs;
use std::time::Duration;

/// Time for which threads ran, and for which they could have run and no processor was free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// Time on a processor.
    pub ran: Duration,
    /// Time of waiting for a processor.
    pub waited: Duration,
}

impl Turns {
    /// Of the calling thread; `None` where the system does not tell.
    pub fn of_this_thread() -> Option<Self> {
        Self::read(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
    }

    /// Of all present threads of a process; `None` where the system does not tell.
    pub fn of_process(id: u32) -> Option<Self> {
        let mut sum = Self::default();
        for thread in fs::read_dir(format!("/proc/{id}/task")).ok()? {
            // A thread may end between the two.
            let Ok(text) = fs::read_to_string(thread.ok()?.path().join("schedstat")) else {
                continue;
            };
            sum = sum.plus(Self::read(&text)?);
        }
        Some(sum)
    }

    /// The sums of two measurements.
    pub fn plus(self, other: Self) -> Self {
        Self { ran: self.ran + other.ran, waited: self.waited + other.waited }
    }

    /// Share of the time it wanted a processor in which it had one, 0 to 1.
    pub fn share(&self) -> f64 {
        let wanted = (self.ran + self.waited).as_secs_f64();
        if wanted > 0.0 { self.ran.as_secs_f64() / wanted } else { 1.0 }
    }

    /// Nanoseconds run, nanoseconds waited, and how often.
    fn read(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace().map(|field| field.parse().ok());
        let (ran, waited) = (fields.next()??, fields.next()??);
        Some(Self { ran: Duration::from_nanos(ran), waited: Duration::from_nanos(waited) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_what_was_wanted() {
        let turns = Turns::read("3000000000 1000000000 17\n").unwrap();
        assert_eq!((turns.ran.as_secs(), turns.waited.as_secs()), (3, 1));
        assert_eq!((turns.share(), Turns::default().share()), (0.75, 1.0));
        assert_eq!(Turns::read("3000000000"), None);
        assert_eq!(Turns::read("a b c"), None);
    }
}
