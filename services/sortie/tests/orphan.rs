//! A swarm that is killed leaves no server behind, also none that stands still.

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Whatever the test waits for happens within this time, or never.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_server_that_stands_still_ends_with_the_swarm_that_started_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["swarm", "--bots", "2", "--duration", "120s", "--data-dir"];
    let mut command = common::command(&arguments);
    let command = command.arg(&data).stdout(Stdio::null()).stderr(Stdio::null());
    let mut swarm = command.spawn().unwrap();
    let server = Orphan(until("the swarm has a server", || child_of(swarm.id())));
    // Its own files come after it has set itself up; the rules are the swarm's.
    until("the server has files", || has_files(&data).then_some(()));
    kill_process(server.0, Signal::STOP).unwrap();
    until("the server stands still", || (state_of(server.0) == Some('T')).then_some(()));
    swarm.kill().unwrap();
    swarm.wait().unwrap();
    // A zombie is over: who takes it away is not ours to say.
    until("the server is over", || matches!(state_of(server.0), None | Some('Z')).then_some(()));
}

/// A process that is ended with the test, if it has not ended before.
struct Orphan(Pid);

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// The first process that has this parent.
fn child_of(parent: u32) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pids = numbers.filter_map(Pid::from_raw);
    let parent = parent.to_string();
    pids.into_iter().find(|pid| stat_of(*pid, 1).as_deref() == Some(&parent))
}

/// How a process stands: `R`, `S`, `T` stopped, `Z` ended and not taken away.
fn state_of(pid: Pid) -> Option<char> {
    stat_of(pid, 0)?.chars().next()
}

/// A field of `/proc/PID/stat` by its number behind the name, which may hold blanks.
fn stat_of(pid: Pid, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(number).map(str::to_owned)
}

fn has_files(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_own = |path: &Path| path.is_file() && path.extension().is_none_or(|end| end != "toml");
    entries.map(|entry| entry.path()).any(|path| is_own(&path) || has_files(&path))
}
