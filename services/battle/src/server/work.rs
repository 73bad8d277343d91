//! The server's own work in a tick, apart from the time that others took from it.
//!
//! Measured is CPU time, by the clocks of the thread and of the process
//! (`CLOCK_THREAD_CPUTIME_ID`, `CLOCK_PROCESS_CPUTIME_ID`), against wall time: the tick waits for
//! nobody, so what passed without using a processor was taken by a neighbour on the machine, a
//! stop of the process or the hypervisor. The run delay in `/proc/self/schedstat` would tell of
//! the neighbour only: not of a stopped process, not of a group's quota, and nothing where the
//! kernel or a sandbox does not offer it; and it is a file to read for every thread, where a clock
//! is one call. A hypervisor that steals time without telling the kernel (no paravirtual steal
//! clock) is seen by neither.

use std::time::{Duration, Instant};

/// The work of one tick after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    /// When the tick before was over, in wall time.
    ended_at: Instant,
    began_at: Instant,
    main: Duration,
    process: Duration,
    /// CPU time of the shards, and the longest ones of each pass added up.
    shards: Duration,
    longest_shards: Duration,
    /// CPU time of the process when the tick before was over.
    process_before: Duration,
}

/// What a tick took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Took {
    /// From its beginning to its end.
    pub wall: Duration,
    /// How long it would have taken had nobody else wanted the processors; see [`Work::end`].
    pub own: Duration,
    /// CPU time of all threads since the end of the tick before.
    pub cpu: Duration,
    /// What others took of it: of the tick, and before it when it began late.
    pub stolen: Duration,
}

impl Work {
    /// Nothing done yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ended_at: now,
            began_at: now,
            main: thread_cpu(),
            process: process_cpu(),
            shards: Duration::ZERO,
            longest_shards: Duration::ZERO,
            process_before: process_cpu(),
        }
    }

    /// A tick begins, on the thread that calls.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began_at = now;
        (self.main, self.process) = (thread_cpu(), process_cpu());
        (self.shards, self.longest_shards) = Default::default();
    }

    /// The shards worked beside each other, on other threads, each for so long.
    pub(super) fn note_shards(&mut self, took: impl Iterator<Item = Duration>) {
        let (sum, longest) = took.fold((Duration::ZERO, Duration::ZERO), |(sum, longest), took| {
            (sum + took, longest.max(took))
        });
        self.shards += sum;
        self.longest_shards += longest;
    }

    /// The tick that was due at `due` is over, with so many threads beside the one that calls; 0
    /// when it does everything.
    ///
    /// Its own work is that of its own thread, then of each pass over the shards the longest one,
    /// and of what else the others did (regions, visibility) an even share of each: that it is
    /// shared evenly is assumed.
    pub(super) fn end(&mut self, now: Instant, due: Instant, threads: usize) -> Took {
        self.end_by(now, due, threads, thread_cpu(), process_cpu())
    }

    /// The same, by what the clocks of the thread and of the process say.
    fn end_by(
        &mut self,
        now: Instant,
        due: Instant,
        threads: usize,
        main: Duration,
        process: Duration,
    ) -> Took {
        let main = main.saturating_sub(self.main);
        let others = process.saturating_sub(self.process).saturating_sub(main);
        let shared = others.saturating_sub(self.shards);
        let own = match u32::try_from(threads).unwrap_or(u32::MAX) {
            0 => main,
            threads => main + self.longest_shards + shared / threads,
        };
        let wall = now.saturating_duration_since(self.began_at);
        let late = self.began_at.saturating_duration_since(due.max(self.ended_at));
        self.ended_at = now;
        let cpu = process.saturating_sub(std::mem::replace(&mut self.process_before, process));
        Took { wall, own, cpu, stolen: late + wall.saturating_sub(own) }
    }
}

/// CPU time of this process so far, user and system.
pub(super) fn process_cpu() -> Duration {
    read(rustix::time::ClockId::ProcessCPUTime)
}

/// CPU time of this thread so far, user and system.
pub(super) fn thread_cpu() -> Duration {
    read(rustix::time::ClockId::ThreadCPUTime)
}

fn read(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.max(0) as u32)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Keeps this thread busy for so much CPU time.
    fn compute(time: Duration) {
        let begun = thread_cpu();
        while thread_cpu() - begun < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn time_without_a_processor_is_nobodys_work() {
        let start = Instant::now();
        let mut work = Work::new(start);
        work.begin(start);
        compute(4 * MS);
        // As if a neighbour had the processor: time passes and this thread does nothing.
        let (_sender, nothing) = channel::<()>();
        assert!(nothing.recv_timeout(60 * MS).is_err());
        let took = work.end(Instant::now(), start, 0);
        assert!(took.wall >= 64 * MS && took.own >= 4 * MS, "{took:?}");
        assert!(took.own < 30 * MS && took.stolen >= 34 * MS, "{took:?}");
        assert_eq!(took.stolen, took.wall - took.own);
    }

    #[test]
    fn a_late_beginning_is_stolen_unless_the_tick_before_was_long() {
        let start = Instant::now();
        let mut work = Work::new(start);
        work.begin(start + 50 * MS);
        let took = work.end(start + 50 * MS, start + 20 * MS, 0);
        assert_eq!((took.wall, took.stolen), (Duration::ZERO, 30 * MS));
        // Due long ago, and begun as soon as the one before was over.
        work.begin(start + 50 * MS);
        assert_eq!(work.end(start + 50 * MS, start + 30 * MS, 0).stolen, Duration::ZERO);
    }

    #[test]
    fn shards_beside_each_other_count_by_the_longest() {
        let start = Instant::now();
        let mut work = Work::new(start);
        work.begin(start);
        work.note_shards([10 * MS, 7 * MS].into_iter());
        work.note_shards([2 * MS, 3 * MS].into_iter());
        // Of this thread 1 ms, of the shards 22, and 6 of both threads for something else.
        let (main, process) = (work.main + MS, work.process + 29 * MS);
        let took = work.end_by(start + 20 * MS, start, 2, main, process);
        assert_eq!((took.own, took.stolen), ((1 + 10 + 3 + 3) * MS, 3 * MS));
        assert!(took.cpu >= 29 * MS, "{took:?}");
    }
}
