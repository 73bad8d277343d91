//! `sortie-control up` as a person runs it: real processes, a Postgres of its own, bots that fight.

mod books;
#[path = "../common/mod.rs"]
mod common;
mod faults;
mod start;

use std::fs;
use std::path::{Path, PathBuf};

use common::process::{Process, eventually, folder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A run on a data directory of its own, which lives as long.
struct Up {
    process: Process,
    /// The line `ready`.
    ready: Value,
    folder: TempDir,
}

impl Up {
    async fn start(more: &[&str]) -> Self {
        let folder = folder();
        let data = data_in(&folder);
        let up = ["up", "--port", "0", "--data-dir", data.to_str().unwrap()];
        let process = Process::control(&[&up[..], more].concat());
        let ready = process.wait_for("ready").await;
        Self { process, ready, folder }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.process.id() as i32).unwrap(), signal).unwrap();
    }

    fn database(&self) -> &str {
        self.ready["database_url"].as_str().unwrap()
    }

    /// Waits until nothing of the run is there.
    async fn nothing_is_left(&self) {
        let nothing = async || processes_of(self.folder.path()).is_empty().then_some(());
        eventually("the end of all processes", nothing).await;
    }
}

fn data_in(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

/// Processes that know the folder, by number and command line.
fn processes_of(folder: &Path) -> Vec<(Pid, String)> {
    let name = folder.to_str().unwrap();
    let found = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        command.contains(name).then_some((pid, command))
    });
    found.collect()
}
