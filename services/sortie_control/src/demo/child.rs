//! A battle server as a child process of `sortie-control up`.
//!
//! It ends in order when its stdin closes, so that it does not outlive its parent, whatever
//! becomes of that. Its stdout carries JSON lines; its stderr is passed on, and lines at error
//! level are counted.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

/// How long a server may take until it is registered.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to end: it hands over what waits in its spool.
const END_TIMEOUT: Duration = Duration::from_secs(20);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a battle server told of its battles.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Told {
    /// Battles that ended there.
    pub battles: u64,
    /// Of these, those that have a result.
    pub results: u64,
    /// Players of those results.
    pub players: u64,
    /// Ticks stepped.
    pub ticks: u64,
    /// Ticks that took longer than they may.
    pub overruns: u64,
    /// Lines at error level.
    pub errors: u64,
}

impl Told {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            battles: self.battles + other.battles,
            results: self.results + other.results,
            players: self.players + other.players,
            ticks: self.ticks + other.ticks,
            overruns: self.overruns + other.overruns,
            errors: self.errors + other.errors,
        }
    }
}

/// A running battle server.
pub struct BattleServer {
    child: Child,
    told: Arc<Mutex<Told>>,
    errors: Arc<AtomicU64>,
    readers: Vec<thread::JoinHandle<()>>,
    /// Where clients connect.
    pub address: String,
}

/// How to start one.
pub struct BattleServerOptions<'a> {
    /// The program, `sortie`.
    pub program: &'a Path,
    /// In the fleet.
    pub name: &'a str,
    /// Of the control plane.
    pub fleet: SocketAddr,
    /// The secret's file.
    pub secret_file: &'a Path,
    /// Where game clients connect.
    pub listen: SocketAddr,
    /// Journals, replays, spool.
    pub data_dir: &'a Path,
    /// What it logs.
    pub log: &'a str,
}

impl BattleServer {
    /// Starts one and waits until it is registered.
    ///
    /// # Errors
    /// It does not start, or does not register.
    pub fn start(options: &BattleServerOptions<'_>) -> anyhow::Result<Self> {
        let mut child = Command::new(options.program)
            .arg("battle")
            .args(["--control-plane", &format!("http://{}", options.fleet)])
            .arg("--fleet-secret-file")
            .arg(options.secret_file)
            .args(["--name", options.name, "--listen", &options.listen.to_string()])
            .args(["--ops", "127.0.0.1:0", "--log", options.log, "--json", "--end-with-stdin"])
            .arg("--data-dir")
            .arg(options.data_dir)
            // Only flags count: what is in the environment was meant for this process.
            .env_remove("SORTIE_CONFIG")
            .env_remove("SORTIE_LOG_FORMAT")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", options.program.display()))?;
        let told: Arc<Mutex<Told>> = Arc::default();
        let errors: Arc<AtomicU64> = Arc::default();
        let (sender, lines) = channel();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (for_lines, for_errors) = (Arc::clone(&told), Arc::clone(&errors));
        let readers = vec![
            thread::spawn(move || {
                let lines = stdout.into_iter().flat_map(|pipe| BufReader::new(pipe).lines());
                for line in lines.map_while(Result::ok) {
                    let line: Value = serde_json::from_str(&line).unwrap_or_default();
                    note(&mut for_lines.lock().unwrap_or_else(PoisonError::into_inner), &line);
                    // Nobody waits for later lines.
                    drop(sender.send(line));
                }
            }),
            thread::spawn(move || {
                let lines = stderr.into_iter().flat_map(|pipe| BufReader::new(pipe).lines());
                for line in lines.map_while(Result::ok) {
                    if is_error(&line) {
                        for_errors.fetch_add(1, Relaxed);
                    }
                    eprintln!("{line}");
                }
            }),
        ];
        let mut server = Self { child, told, errors, readers, address: String::new() };
        let registered = server.registered(&lines)?;
        registered["address"].as_str().unwrap_or_default().clone_into(&mut server.address);
        Ok(server)
    }

    fn registered(&mut self, lines: &Receiver<Value>) -> anyhow::Result<Value> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) if line["event"] == "ready" => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!("a battle server does not register"),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    bail!("a battle server ended by itself ({status}); its message stands above")
                }
            }
        }
    }

    /// What it told until now.
    pub fn told(&self) -> Told {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Told { errors: self.errors.load(Relaxed), ..told }
    }

    /// Whether it has failed: one that staff have drained ends, too, and in order.
    pub fn has_failed(&mut self) -> bool {
        match self.child.try_wait() {
            Ok(None) => false,
            Ok(Some(status)) => !status.success(),
            Err(_) => true,
        }
    }

    /// Whether it has ended.
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it in order; gives all that it told.
    ///
    /// # Errors
    /// It does not end, or fails at its end.
    pub fn end(mut self) -> anyhow::Result<Told> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + END_TIMEOUT;
        while !self.has_ended() {
            if Instant::now() > deadline {
                bail!("a battle server did not end within {END_TIMEOUT:?} and was killed");
            }
            thread::sleep(LOOK_EVERY);
        }
        let status = self.child.wait()?;
        for reader in self.readers.drain(..) {
            // A panic there was printed there.
            drop(reader.join());
        }
        if !status.success() {
            bail!("a battle server failed ({status})");
        }
        Ok(self.told())
    }
}

impl Drop for BattleServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn note(told: &mut Told, line: &Value) {
    if line["event"] != "report" {
        return;
    }
    let count = |name: &str| line[name].as_u64().unwrap_or_default();
    told.battles += 1;
    told.ticks += count("ticks");
    told.overruns += count("tick_overruns");
    // The control plane gave it up: nobody asks for a result.
    if line["ended_by"] != "forgotten" {
        told.results += 1;
        told.players += count("joins");
    }
}

/// A log line begins with its time and its level.
fn is_error(line: &str) -> bool {
    line.split_whitespace().nth(1) == Some("ERROR") || line.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reports_add_up_and_forgotten_battles_have_no_result() {
        let mut told = Told::default();
        note(&mut told, &json!({"event": "ready", "joins": 9}));
        for (ended_by, joins) in [("round", 4), ("duration", 6), ("forgotten", 8)] {
            let report = json!({"event": "report", "ended_by": ended_by, "joins": joins,
                "ticks": 100, "tick_overruns": 1});
            note(&mut told, &report);
        }
        assert_eq!((told.battles, told.results, told.players), (3, 2, 10));
        assert_eq!((told.ticks, told.overruns), (300, 3));
    }

    #[test]
    fn lines_at_error_level_are_told_apart() {
        assert!(is_error("2026-01-01T00:00:00Z ERROR sortie_battle: the disk is full"));
        assert!(is_error("thread 'main' panicked at src/main.rs:1:1:"));
        assert!(!is_error("2026-01-01T00:00:00Z  WARN sortie_battle: an ERROR elsewhere"));
    }
}
