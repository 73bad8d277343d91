//! Time on which two processes of one machine agree.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The monotonic clock, nanoseconds; the same in every process.
pub fn now_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// CPU time of this process, user and system, all threads.
pub fn process_cpu() -> Duration {
    Duration::from_nanos(nanoseconds(ClockId::ProcessCPUTime))
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// When each tick began: written by the server, read by the clients once their work is done, so
/// that the age of an update is known to the microsecond without a byte on the wire.
#[derive(Debug)]
pub struct TickLog(File);

impl TickLog {
    /// An empty log in this folder.
    pub fn create(folder: &Path) -> io::Result<Self> {
        File::create(folder.join("ticks")).map(Self)
    }

    /// Notes that a tick begins now.
    pub fn note(&self, tick: u32) -> io::Result<()> {
        self.0.write_all_at(&now_ns().to_le_bytes(), u64::from(tick) * 8)
    }

    /// Beginnings of the ticks 0, 1, 2…, as [`now_ns`] has them; 0 for those never begun.
    pub fn read(folder: &Path) -> io::Result<Vec<u64>> {
        let bytes = std::fs::read(folder.join("ticks"))?;
        let whole = bytes.chunks_exact(8);
        Ok(whole.map(|chunk| u64::from_le_bytes(chunk.try_into().expect("8 bytes"))).collect())
    }
}
