//! Which core works for whom, and room for thousands of sockets.
//!
//! A server under measurement has core 0 for itself, all of its clients share core 1. With one
//! core only, everyone is on it, and figures of wall time mean little.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The core of the server under measurement.
pub const SERVER_CORE: usize = 0;

/// The core of the clients.
pub const CLIENT_CORE: usize = 1;

/// Files beside the sockets of the clients: the program's own.
const OTHER_FILES: u64 = 256;

/// Cores of this machine that work, at least 1.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `work` with the calling thread on one core (the last one where there are fewer). What it
/// spawns stays there; the calling thread goes back to where it was allowed before.
///
/// # Errors
/// The kernel refuses, as in a container without this core.
pub fn on_core<T>(core: usize, work: impl FnOnce() -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    let core = (0..=core).rev().find(|&core| before.is_set(core));
    only.set(core.unwrap_or_default());
    sched_setaffinity(None, &only)?;
    let done = work();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

/// Makes room for so many open sockets.
///
/// # Errors
/// The hard limit is below that.
pub fn raise_file_limit(sockets: usize) -> io::Result<()> {
    let wanted = sockets as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_comes_back_from_its_core() {
        let before = sched_getaffinity(None).unwrap();
        let inside = on_core(SERVER_CORE, || sched_getaffinity(None).unwrap()).unwrap();
        assert_eq!(inside.count(), 1);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }

    #[test]
    fn there_is_room_for_a_few_sockets() {
        raise_file_limit(64).unwrap();
    }
}
