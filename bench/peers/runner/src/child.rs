//! A child process that is spoken to in lines.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::Context;

/// A process pinned to a core; it ends with this value.
#[derive(Debug)]
pub struct Pinned {
    child: Child,
    lines: Receiver<String>,
}

impl Pinned {
    /// Starts a program on a core.
    pub fn start(
        core: usize,
        program: &Path,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {} with taskset", program.display()))?;
        let output = child.stdout.take().context("no output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// Sends a line.
    pub fn ask(&mut self, request: &str) -> anyhow::Result<()> {
        let input = self.child.stdin.as_mut().context("no input")?;
        writeln!(input, "{request}").context("the process is gone")
    }

    /// The next line that the process prints.
    pub fn answer(&self, patience: Duration) -> anyhow::Result<String> {
        self.lines.recv_timeout(patience).context("no answer")
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
