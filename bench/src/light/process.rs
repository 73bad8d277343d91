//! CPU time of other processes, as the kernel accounts it.

use std::fs;
use std::io;

/// User and system time of all threads of a process so far, seconds.
///
/// # Errors
/// There is no such process.
pub fn cpu_seconds(id: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let seconds = || {
        // The second field is the name in parentheses and may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let user: f64 = fields.get(11)?.parse().ok()?;
        let system: f64 = fields.get(12)?.parse().ok()?;
        Some((user + system) / rustix::param::clock_ticks_per_second() as f64)
    };
    seconds().ok_or_else(|| io::Error::other("the kernel's figures cannot be read"))
}

/// CPU time of the kernel's thread that works off packets when there are too many of them, on this
/// core; `None` where it cannot be seen, as in a container.
pub fn ksoftirqd_seconds(core: usize) -> Option<f64> {
    let name = format!("ksoftirqd/{core}");
    let ids = fs::read_dir("/proc").ok()?.flatten();
    let mut ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let id = ids.find(|id| {
        fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|comm| comm.trim() == name)
    })?;
    cpu_seconds(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_has_worked() {
        // The kernel counts in hundredths of a second.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while cpu_seconds(std::process::id()).unwrap() == 0.0 {
            assert!(std::time::Instant::now() < deadline, "no work is counted");
        }
        assert!(cpu_seconds(u32::MAX).is_err());
    }
}
