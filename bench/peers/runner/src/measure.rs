//! One stack with one number of players, once.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use peers_s1::{Mark, TICK_HZ, Verdict};
use serde::Serialize;

use crate::child::Pinned;

/// How long clients may take to connect, and processes to answer.
const PATIENCE: Duration = Duration::from_secs(60);
const WARM_UP: Duration = Duration::from_secs(3);

/// For the last datagrams of the window to arrive.
const SETTLE: Duration = Duration::from_millis(500);

/// Positions off by more than this are wrong, metres: a walker's way of about two ticks.
const POSITION_ERROR_MAX_M: f64 = 0.15;
const DELIVERED_MIN: f64 = 0.96;

/// With fewer inputs the clients did not play the scenario, and the server had less to do.
const INPUTS_MIN: f64 = 0.96;
const LATE_MAX: f64 = 0.01;

/// Clients busier than this measure themselves, not the server.
const BUSY_MAX: f64 = 0.9;

/// What is the same for every run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Steady seconds.
    pub seconds: u64,
    /// Core of the server.
    pub server_core: usize,
    /// Cores of the clients, one process each.
    pub clients_cores: Vec<usize>,
}

/// What one run showed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Server CPU time per player and tick, user and system, microseconds.
    pub cpu_us_per_player_tick: f64,
    /// Cores that the server used.
    pub server_cores: f64,
    /// Bytes that the libraries gave to a client's application per second.
    pub bytes_per_client_second: f64,
    /// Updates that came, of those that a perfect oracle expects.
    pub delivered: f64,
    /// 99 of 100 updates were at most this old when a client had them, milliseconds.
    pub age_p99_ms: f64,
    /// Middle age of an update, milliseconds.
    pub age_p50_ms: f64,
    /// Ticks that overran or were skipped, of all.
    pub late: f64,
    /// Inputs that the server got, of those due.
    pub inputs: f64,
    /// Resident memory of the server, MiB.
    pub rss_mib: f64,
    /// Updates compared with the world.
    pub checked: u64,
    /// Largest error of a position, metres.
    pub position_error_max_m: f64,
    /// Compared updates with a wrong view or health, or about a player out of sight.
    pub wrong: u64,
    /// Share of their cores that the clients took, 0 to 1.
    pub clients_busy: f64,
}

/// One run, good or bad.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Number of the repeat, from 0.
    pub repeat: usize,
    /// Name of the stack.
    pub stack: String,
    /// Players and clients.
    pub players: usize,
    /// The figures, if the run came to its end.
    pub figures: Option<Figures>,
    /// Why this does not count as held; empty when it does.
    pub missed: Vec<String>,
}

impl Outcome {
    /// Judges a run.
    pub fn new(
        repeat: usize,
        stack: &str,
        players: usize,
        measured: anyhow::Result<Figures>,
    ) -> Self {
        let (figures, missed) = match measured {
            Ok(figures) => {
                let missed = misses(&figures);
                (Some(figures), missed)
            }
            Err(error) => (None, vec![format!("{error:#}")]),
        };
        Self { repeat, stack: stack.to_owned(), players, figures, missed }
    }

    /// Whether the server held this number of players.
    pub fn held(&self) -> bool {
        self.missed.is_empty()
    }

    /// Whether this is a run of a stack in a repeat.
    pub fn is(&self, repeat: usize, stack: &str) -> bool {
        self.repeat == repeat && self.stack == stack
    }
}

fn misses(figures: &Figures) -> Vec<String> {
    let mut missed = Vec::new();
    if figures.late >= LATE_MAX {
        missed.push(format!("{:.1} % of the ticks late", figures.late * 100.0));
    }
    if figures.delivered < DELIVERED_MIN {
        missed.push(format!("{:.1} % delivered", figures.delivered * 100.0));
    }
    if figures.inputs < INPUTS_MIN {
        missed.push(format!("{:.1} % of the inputs came", figures.inputs * 100.0));
    }
    if figures.position_error_max_m > POSITION_ERROR_MAX_M {
        missed.push(format!("{:.2} m off", figures.position_error_max_m));
    }
    if !missed.is_empty() && figures.clients_busy > BUSY_MAX {
        missed.push(format!("clients busy to {:.0} %", figures.clients_busy * 100.0));
    }
    missed
}

/// Runs one of our own stacks.
pub fn measure(
    programs: &Path,
    stack: &str,
    players: usize,
    plan: &Plan,
) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    let program = programs.join(format!("peers-{stack}"));
    let (count, path) = (players.to_string(), folder.path().display().to_string());
    let mut server = Pinned::start(plan.server_core, &program, ["server", &count, &path])?;
    let address = server.answer(PATIENCE)?;
    let step = plan.clients_cores.len().to_string();
    let clients = plan.clients_cores.iter().enumerate().map(|(first, &core)| {
        let args = ["clients", &count, &path, &address, &first.to_string(), &step];
        Pinned::start(core, &program, args)
    });
    let mut clients = clients.collect::<anyhow::Result<Vec<_>>>()?;
    for process in &clients {
        process.answer(PATIENCE).context("not all clients connected")?;
    }

    sleep(WARM_UP);
    let clients_from_us = cpu_us(&mut clients)?;
    let from = mark(&mut server)?;
    sleep(Duration::from_secs(plan.seconds));
    let until = mark(&mut server)?;
    let clients_us = cpu_us(&mut clients)? - clients_from_us;
    sleep(SETTLE);
    let mut verdict = Verdict::default();
    for process in &mut clients {
        process.ask(&format!("report {} {}", from.tick, until.tick))?;
    }
    for process in &clients {
        verdict.add(&serde_json::from_str(&process.answer(PATIENCE)?)?);
    }
    let clients_cores = clients_us as f64 / 1e6 / plan.seconds as f64;
    Ok(Figures {
        clients_busy: clients_cores / plan.clients_cores.len() as f64,
        ..figures(players, from, until, &verdict, plan)
    })
}

/// CPU time of all clients' processes so far, microseconds.
fn cpu_us(clients: &mut [Pinned]) -> anyhow::Result<u64> {
    let mut sum = 0;
    for process in clients {
        process.ask("cpu")?;
        sum += process.answer(PATIENCE)?.parse::<u64>()?;
    }
    Ok(sum)
}

fn mark(server: &mut Pinned) -> anyhow::Result<Mark> {
    server.ask("mark")?;
    Ok(serde_json::from_str(&server.answer(PATIENCE)?)?)
}

fn figures(players: usize, from: Mark, until: Mark, verdict: &Verdict, plan: &Plan) -> Figures {
    let ticks = f64::from(until.tick - from.tick).max(1.0);
    let skipped = f64::from(until.skipped - from.skipped);
    let late = skipped + f64::from(until.overruns - from.overruns);
    let cpu_us = (until.cpu_us - from.cpu_us) as f64;
    let player_ticks = ticks * players as f64;
    let client_seconds = player_ticks / f64::from(TICK_HZ);
    let due = (ticks + skipped) * players as f64;
    Figures {
        cpu_us_per_player_tick: cpu_us / player_ticks,
        server_cores: cpu_us / 1e6 / plan.seconds as f64,
        bytes_per_client_second: verdict.application_bytes as f64 / client_seconds,
        delivered: verdict.delivered as f64 / verdict.expected.max(1) as f64,
        age_p99_ms: verdict.age_p99_ms,
        age_p50_ms: verdict.age_p50_ms,
        late: late / (ticks + skipped),
        inputs: (until.inputs - from.inputs) as f64 / due,
        rss_mib: until.rss_kib as f64 / 1024.0,
        checked: verdict.checked,
        position_error_max_m: verdict.position_error_max_m,
        wrong: verdict.wrong + verdict.strangers,
        clients_busy: 0.0,
    }
}
