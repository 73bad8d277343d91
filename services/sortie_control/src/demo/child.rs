//! A battle server as a child process of `sortie-control up`.
//!
//! It ends in order when its stdin closes, so that it does not outlive its parent, whatever
//! becomes of that. Its stdout carries JSON lines; its stderr is passed on, and lines at error
//! level are counted.

use std::collections::HashSet;
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
use sortie_cli::environment;
use sortie_cli::program::LogFormat;
use sortie_control::vocabulary::EndedBy;
use uuid::Uuid;

/// How long a server may take until it is registered.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to end: it hands over what waits in its spool.
const END_TIMEOUT: Duration = Duration::from_secs(20);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a battle server told of its battles.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct Told {
    /// Battles that run now.
    #[serde(skip)]
    pub running: u64,
    /// Battles of this run that ended there.
    pub battles: u64,
    /// Of these, those that have a result.
    pub results: u64,
    /// Of these, those that ended by their rules with a winner.
    pub won: u64,
    /// Of these, those that ended by their rules without one.
    pub drawn: u64,
    /// Players of those results.
    pub players: u64,
    /// Battles of earlier runs that ended there.
    pub earlier: u64,
    /// Ticks stepped.
    pub ticks: u64,
    /// Ticks that took longer than they may.
    pub overruns: u64,
    /// Of these, ticks that were left out.
    pub left_out: u64,
    /// Lines at error level.
    pub errors: u64,
}

impl Told {
    /// Both together.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            battles: self.battles + other.battles,
            running: self.running + other.running,
            results: self.results + other.results,
            won: self.won + other.won,
            drawn: self.drawn + other.drawn,
            players: self.players + other.players,
            earlier: self.earlier + other.earlier,
            ticks: self.ticks + other.ticks,
            overruns: self.overruns + other.overruns,
            left_out: self.left_out + other.left_out,
            errors: self.errors + other.errors,
        }
    }
}

/// What a battle server tells, for whoever wants to look while it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    told: Arc<Mutex<Told>>,
    errors: Arc<AtomicU64>,
}

impl News {
    /// What it told until now.
    pub(crate) fn told(&self) -> Told {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Told { errors: self.errors.load(Relaxed), ..told }
    }

    fn note(&self, earlier: &HashSet<Uuid>, line: &Value) {
        note(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner), earlier, line);
    }
}

/// A running battle server.
pub(crate) struct BattleServer {
    child: Child,
    /// In the fleet.
    pub name: String,
    readers: Vec<thread::JoinHandle<()>>,
    /// What it tells.
    pub news: News,
    /// Where clients connect.
    pub address: String,
    /// Who it is in the fleet.
    pub server_id: Uuid,
}

/// How to start one.
pub(crate) struct BattleServerOptions<'a> {
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
    /// Lines for people or JSON.
    pub log_format: LogFormat,
    /// Battles of earlier runs, which it may take up: they are counted apart.
    pub earlier: Arc<HashSet<Uuid>>,
    /// Goes on with what the one whose place it takes has told.
    pub news: News,
}

impl BattleServer {
    /// Starts one and waits until it is registered.
    ///
    /// # Errors
    /// It does not start, or does not register.
    pub(crate) fn start(options: &BattleServerOptions<'_>) -> anyhow::Result<Self> {
        let mut command = Command::new(options.program);
        // Only flags count: what is in the environment was meant for this process.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(environment::PREFIX) {
                command.env_remove(name);
            }
        }
        let mut child = command
            .arg("battle")
            .args(["--control-plane", &format!("http://{}", options.fleet)])
            .arg("--fleet-secret-file")
            .arg(options.secret_file)
            .args(["--name", options.name, "--listen", &options.listen.to_string()])
            .args(["--ops", "127.0.0.1:0", "--log", options.log, "--json", "--end-with-stdin"])
            .args(["--log-format", options.log_format.name()])
            .arg("--data-dir")
            .arg(options.data_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", options.program.display()))?;
        let news = options.news.clone();
        let (sender, lines) = channel();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (for_lines, for_errors) = (news.clone(), Arc::clone(&news.errors));
        let earlier = Arc::clone(&options.earlier);
        let readers = vec![
            thread::spawn(move || {
                let lines = stdout.into_iter().flat_map(|pipe| BufReader::new(pipe).lines());
                for line in lines.map_while(Result::ok) {
                    let line: Value = serde_json::from_str(&line).unwrap_or_default();
                    for_lines.note(&earlier, &line);
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
                    sortie_cli::say_aside!("{line}");
                }
            }),
        ];
        let (name, address) = (options.name.to_owned(), String::new());
        let mut server = Self { child, name, readers, news, address, server_id: Uuid::nil() };
        let registered = server.registered(&lines)?;
        let fact = |name: &str| registered[name].as_str().unwrap_or_default();
        fact("address").clone_into(&mut server.address);
        server.server_id = fact("server_id").parse().context("a battle server without an id")?;
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

    /// A sentence if it has failed: one that staff have drained ends, too, and in order.
    pub(crate) fn failure(&mut self) -> Option<String> {
        let name = &self.name;
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) if status.success() => None,
            Ok(Some(status)) => {
                Some(format!("the battle server {name} has ended by itself ({status})"))
            }
            Err(error) => Some(format!("the battle server {name} cannot be watched ({error})")),
        }
    }

    /// Whether it has ended in order, which is not asked of it here: staff have drained it.
    pub(crate) fn was_drained(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(status)) if status.success())
    }

    /// Whether it has ended.
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it in order; gives all that it told.
    ///
    /// # Errors
    /// It does not end, or fails at its end.
    pub(crate) fn end(mut self) -> anyhow::Result<Told> {
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
        Ok(self.news.told())
    }
}

impl Drop for BattleServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn note(told: &mut Told, earlier: &HashSet<Uuid>, line: &Value) {
    match line["event"].as_str() {
        Some("begun") => return told.running += 1,
        Some("report") => told.running = told.running.saturating_sub(1),
        _ => return,
    }
    let count = |name: &str| line[name].as_u64().unwrap_or_default();
    told.ticks += count("ticks");
    told.overruns += count("tick_overruns");
    told.left_out += count("ticks_left_out");
    let battle_id = line["battle_id"].as_str().and_then(|text| text.parse().ok());
    if battle_id.is_some_and(|battle_id| earlier.contains(&battle_id)) {
        told.earlier += 1;
        return;
    }
    told.battles += 1;
    match line["ended_by"].as_str() {
        // The control plane gave it up: nobody asks for a result.
        Some("forgotten") => return,
        Some(end) if EndedBy::of_name(end).is_result() => match line["winner"].is_null() {
            true => told.drawn += 1,
            false => told.won += 1,
        },
        _ => {}
    }
    told.results += 1;
    told.players += count("players");
}

/// Whether a line of the log is at error level, or tells of a panic. As text, a line begins with
/// its time and its level; as JSON, the level is a field.
fn is_error(line: &str) -> bool {
    let is_json_error = || {
        let line: Option<Value> = serde_json::from_str(line).ok();
        line.is_some_and(|line| line["level"] == "ERROR")
    };
    line.split_whitespace().nth(1) == Some("ERROR")
        || line.contains("panicked at")
        || line.starts_with('{') && is_json_error()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reports_add_up_and_those_of_earlier_runs_stand_apart() {
        let (mut told, earlier) = (Told::default(), [Uuid::from_u128(7)].into());
        note(&mut told, &earlier, &json!({"event": "ready", "players": 9}));
        for battle_id in 1..=6 {
            note(&mut told, &earlier, &json!({"event": "begun", "battle_id": battle_id}));
        }
        for (battle_id, ended_by, winner, players) in [
            (1, "round", Some(0), 4),
            (2, "duration", None, 6),
            (3, "stopped", None, 1),
            (4, "forgotten", None, 8),
            (7, "round", Some(1), 2),
        ] {
            let battle_id = format!("{battle_id:032x}");
            let report = json!({"event": "report", "battle_id": battle_id, "ended_by": ended_by,
                "winner": winner, "players": players, "ticks": 100, "tick_overruns": 1});
            note(&mut told, &earlier, &report);
        }
        assert_eq!((told.battles, told.results, told.players, told.earlier), (4, 3, 11, 1));
        assert_eq!((told.won, told.drawn, told.running), (1, 1, 1));
        assert_eq!((told.ticks, told.overruns), (500, 5));
    }

    #[test]
    fn lines_at_error_level_are_told_apart() {
        assert!(is_error("2026-01-01T00:00:00Z ERROR sortie_battle: the disk is full"));
        assert!(is_error("thread 'main' panicked at src/main.rs:1:1:"));
        assert!(is_error(r#"{"timestamp":"2026-01-01T00:00:00Z","level":"ERROR","fields":{}}"#));
        assert!(!is_error(r#"{"timestamp":"2026-01-01T00:00:00Z","level":"WARN","fields":{}}"#));
        assert!(!is_error("2026-01-01T00:00:00Z  WARN sortie_battle: an ERROR elsewhere"));
    }
}
