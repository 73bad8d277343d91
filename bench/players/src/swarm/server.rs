//! The server under test as a child process, so that its cost is counted apart from the bots'.
//!
//! The child speaks JSON lines on its stdout: `ready` first, `report` last. It ends the battle in
//! order when its stdin closes, so it does not outlive the swarm, whatever becomes of that.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER_PERMISSIVE;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;

use super::error::SwarmError;
use crate::turns::Turns;

/// How long a server may take to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server may take to end a battle in order.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// What a client has to know to join.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub addr: SocketAddr,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// Ed25519 seed that signs tickets.
    pub ticket_seed: [u8; 32],
    /// The battle that tickets admit to.
    pub battle_id: u128,
}

/// The child's first line.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
    /// The battle, hexadecimal.
    pub battle_id: String,
    /// Where metrics and health are.
    #[serde(default)]
    pub ops: Option<SocketAddr>,
    /// The private seed for tickets, hexadecimal; only with `--dev-tickets`.
    #[serde(default)]
    pub dev_ticket_key: Option<String>,
    /// Whether a battle was taken up from its journal.
    #[serde(default)]
    pub resumed: bool,
    /// The last tick stepped before it was ready.
    #[serde(default)]
    pub tick: u32,
}

/// A running `sortie battle`.
#[derive(Debug)]
pub struct ServerProcess {
    output: Output,
    /// What it said when it was ready.
    pub ready: Ready,
}

/// The child and the lines of its stdout.
#[derive(Debug)]
struct Output {
    child: Child,
    lines: Receiver<String>,
}

/// What is left when it has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its own report.
    pub report: Value,
    /// CPU time, user and system.
    pub cpu_seconds: Option<f64>,
    /// Resident memory shortly before the end, MiB.
    pub rss_mib: Option<f64>,
    /// How often it got a processor when it wanted one, until shortly before the end.
    pub turns: Option<Turns>,
}

impl ServerProcess {
    /// Starts `program battle arguments…` and waits until it is ready. Its stderr is ours.
    pub fn start(program: &PathBuf, arguments: &[String]) -> Result<Self, SwarmError> {
        let mut child = Command::new(program)
            .arg("battle")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(SwarmError::Spawn)?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut output = Output { child, lines };
        let ready = output.line_with("ready", READY_TIMEOUT)?;
        let ready = serde_json::from_value(ready).map_err(SwarmError::ReadyLine)?;
        Ok(Self { output, ready })
    }

    /// What clients need, from the ready line.
    pub fn target(&self) -> Result<Target, SwarmError> {
        let key = |name, text: &str| key_of(text).ok_or(SwarmError::ReadyField(name));
        let seed = self.ready.dev_ticket_key.as_deref().unwrap_or_default();
        Ok(Target {
            addr: self.ready.listen,
            fingerprint: key("fingerprint", &self.ready.fingerprint)?,
            ticket_seed: key("dev_ticket_key", seed)?,
            battle_id: u128::from_str_radix(&self.ready.battle_id, 16)
                .map_err(|_| SwarmError::ReadyField("battle_id"))?,
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.output.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.output.child.try_wait(), Ok(None))
    }

    /// Asks it to end the battle and waits for its report.
    pub fn end(mut self) -> Result<Ended, SwarmError> {
        let (cpu_before, rss_mib) = (self.cpu_seconds(), self.rss_mib());
        let turns = Turns::of_process(self.id());
        // The closed pipe is the sign to end: it also reaches the child if this process dies.
        drop(self.output.child.stdin.take());
        let report = self.output.line_with("report", END_TIMEOUT)?;
        // The last CPU figure that the kernel keeps is that of the zombie, before it is reaped.
        let cpu_seconds = self.cpu_seconds().or(cpu_before);
        let deadline = Instant::now() + END_TIMEOUT;
        loop {
            match self.output.child.try_wait() {
                Ok(Some(status)) if status.success() => break,
                Ok(Some(status)) => return Err(SwarmError::Ended(status.to_string())),
                Ok(None) if Instant::now() < deadline => thread::park_timeout(TAKE_A_BREATH),
                _ => return Err(SwarmError::Silent("end", END_TIMEOUT)),
            }
        }
        Ok(Ended { report, cpu_seconds, rss_mib, turns })
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.output.child.kill();
        let _ = self.output.child.wait();
    }

    /// Lets it stand still, as a busy machine does.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn stall(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn resume(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.output.child), signal)?)
    }

    /// User and system time of all of its threads so far.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        // The second field is the name in parentheses and may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let user: f64 = fields.get(11)?.parse().ok()?;
        let system: f64 = fields.get(12)?.parse().ok()?;
        Some((user + system) / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident memory, MiB.
    pub fn rss_mib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some((kib / 102.4).round() / 10.0)
    }
}

impl Output {
    /// The next line with this `event`, passing over others.
    fn line_with(&mut self, event: &'static str, within: Duration) -> Result<Value, SwarmError> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let value: Value = serde_json::from_str(&line).unwrap_or_default();
                    if value["event"] == event {
                        return Ok(value);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(SwarmError::Silent(event, within)),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().map_err(SwarmError::Spawn)?;
                    return Err(SwarmError::Ended(status.to_string()));
                }
            }
        }
    }
}

/// Between two looks at a child that is about to end.
const TAKE_A_BREATH: Duration = Duration::from_millis(2);

impl Drop for Output {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// 32 bytes from hexadecimal digits.
pub(super) fn key_of(text: &str) -> Option<[u8; 32]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
