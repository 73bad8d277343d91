//! Bots over the network: real clients, real sockets, against an own server or a running one.
//!
//! [`run`] starts the server as a child process (or is told of a running one), signs a ticket for
//! each bot, spreads the bots over a few threads, and counts what they saw. Each bot owns a
//! socket and a client, as a player's machine would; a simulated link may stand between the two.
//! Verifying the replay is the caller's part: this crate knows no server code.

mod config;
mod drivers;
mod error;
mod hostile;
mod link;
mod magazine;
mod report;
mod seat;
mod server;
mod visit;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

pub use config::{NetworkConditions, OwnServer, ServerUnderTest, SwarmConfig};
pub use drivers::DriverPool;
pub use error::SwarmError;
pub use hostile::{HostileReport, MEMORY_GROWTH_MAX_MIB};
pub use report::{
    ControlReport, LaneReport, Seen, SwarmReport, TICKS_PLAYED_MIN, TickCpu, WITHOUT_CONTROL_MAX,
};
pub use sortie_client::LanePolicy;

pub use server::{Ended, Ready, ServerProcess, Target};
pub use visit::{Visit, Visited};

use sortie_bridge::predict::Fields;
use sortie_client::Corrections;
use sortie_sim::config::Mode;

use crate::samples::{P50P99Max, Samples, rounded};
use hostile::{Outage, ServerFault, ServerFaults};
use report::ControlTally;
use seat::{Seat, SeatStatus};
use worker::{Outcome, Worker};

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Since the start of connecting.
    pub elapsed: Duration,
    /// Bots that have a soldier now.
    pub connected: usize,
    /// Bots that lost it.
    pub lost: usize,
    /// Newest server tick seen.
    pub tick: u32,
    /// Mean round-trip time, milliseconds.
    pub rtt_ms: f64,
    /// Snapshots decoded a second, all bots.
    pub snapshots_per_s: f64,
    /// What the rounds are about, as the server told; `None` before anybody was in.
    pub mode: Option<Mode>,
    /// Tickets left (or score reached) per team, as the bots were told.
    pub tickets: [u32; 2],
    /// Points held, per team, and all points.
    pub points: ([u32; 2], u32),
    /// Shots that the bots fired.
    pub shots: u64,
    /// Enemies downed.
    pub kills: u64,
    /// Rounds that ended.
    pub rounds: u32,
    /// Bots whose battle was over.
    pub finished: usize,
}

/// Where the rules of our own server lie, in its data directory.
const RULES_FILE: &str = "swarm-rules.toml";

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Runs a swarm to its end, or until `stop` is set; `progress` hears of it now and then.
pub fn run(
    config: &SwarmConfig,
    progress: &mut dyn FnMut(&Progress),
    stop: &AtomicBool,
) -> Result<SwarmReport, SwarmError> {
    let mut own = None;
    let target = match &config.server {
        ServerUnderTest::Running(target) => target.clone(),
        ServerUnderTest::Own(server) => own.insert(Own::start(config, server)?).process.target()?,
    };
    let started = Instant::now();
    let outage = Arc::new(Outage::new(started));
    let mut faults =
        config.hostile.then(|| ServerFaults::new(config.seed, started, config.duration));
    let mut fault = Ok(());
    let outcome = drive(config, &target, progress, stop, (started, &outage), &mut || {
        let Some(own) = &mut own else { return false };
        if let Some(faults) = &mut faults {
            fault = own.apply_faults(faults, &outage);
        }
        fault.is_err() || own.process.has_ended()
    })?;
    fault?;
    let mut report = summarise(config, outcome, started.elapsed());
    if let Some(server) = own {
        // It may stand still at this moment.
        server.process.resume()?;
        add_server(&mut report, &server.process.end()?);
    }
    if let (Some(report), Some(faults)) = (&mut report.hostile, faults) {
        *report += faults.done();
    }
    Ok(report)
}

/// The server of a run, and how to start it again.
struct Own {
    program: PathBuf,
    arguments: Vec<String>,
    process: ServerProcess,
}

impl Own {
    fn start(config: &SwarmConfig, server: &OwnServer) -> Result<Self, SwarmError> {
        let folder_is_new = !server.data_dir.exists();
        let (program, arguments) = (server.program.clone(), arguments(config, server)?);
        match ServerProcess::start(&program, &arguments) {
            Ok(process) => Ok(Self { program, arguments, process }),
            Err(error) => {
                if folder_is_new {
                    remove_if_unused(&server.data_dir);
                }
                Err(error)
            }
        }
    }

    /// Lets happen to it what is due.
    fn apply_faults(
        &mut self,
        faults: &mut ServerFaults,
        outage: &Outage,
    ) -> Result<(), SwarmError> {
        match faults.turn(Instant::now(), outage) {
            None => {}
            Some(ServerFault::Stall) => self.process.stall()?,
            Some(ServerFault::Resume) => self.process.resume()?,
            Some(ServerFault::ReadMemory) => faults.note_memory(self.process.rss_mib()),
            Some(ServerFault::Kill) => {
                // It comes back where the bots know it to be.
                let listen = self.process.ready.listen.to_string();
                let at = self.arguments.iter().position(|argument| argument == "--listen");
                if let Some(at) = at {
                    self.arguments[at + 1] = listen;
                }
                self.process.kill();
                self.process = ServerProcess::start(&self.program, &self.arguments)?;
                faults.started_again(outage);
            }
        }
        Ok(())
    }
}

/// Removes the folder of a server that never started, if there is nothing in it but our rules:
/// whatever else lies there is for whoever looks for the reason.
fn remove_if_unused(data_dir: &Path) {
    let Ok(entries) = fs::read_dir(data_dir) else { return };
    if entries.flatten().all(|entry| entry.file_name() == RULES_FILE) {
        // It is a favour: what cannot be removed is left.
        drop(fs::remove_file(data_dir.join(RULES_FILE)));
        drop(fs::remove_dir(data_dir));
    }
}

/// Drives all bots to the end of the run; `server_gone` tells whether there is still a point.
fn drive(
    config: &SwarmConfig,
    target: &Target,
    progress: &mut dyn FnMut(&Progress),
    stop: &AtomicBool,
    (started, outage): (Instant, &Arc<Outage>),
    server_gone: &mut dyn FnMut() -> bool,
) -> Result<Outcome, SwarmError> {
    let end = started + config.duration;
    let threads = config.threads.clamp(1, config.bots.max(1));
    let abandon = AtomicBool::new(false);
    let fields = Fields::default();
    thread::scope(|scope| {
        let (sender, receiver) = channel();
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (sender, fields, abandon) = (sender.clone(), fields.clone(), &abandon);
                scope.spawn(move || {
                    let numbers = (0..config.bots).filter(|number| number % threads == thread);
                    let seats = numbers
                        .map(|number| Seat::new(config, target, number, started, &fields, outage));
                    let worker = Worker::new(thread, seats.collect::<Result<_, _>>()?)?;
                    let stopped = || stop.load(Relaxed) || abandon.load(Relaxed);
                    worker.run(end, &stopped, &sender)
                })
            })
            .collect();
        drop(sender);
        let mut board = Board::new(threads, started);
        // Ends when every thread has dropped its sender.
        while let Ok((thread, status)) = receiver.recv() {
            if board.update(thread, status) {
                progress(&board.progress());
                if server_gone() {
                    abandon.store(true, Relaxed);
                }
            }
        }
        let mut all = Outcome::default();
        for worker in workers {
            let outcome = worker.join().map_err(|_| SwarmError::Panicked)??;
            all.seats.extend(outcome.seats);
            all.cpu += outcome.cpu;
            all.turns = match (all.turns, outcome.turns) {
                (Some(all), Some(turns)) => Some(all.plus(turns)),
                (all, turns) => all.or(turns),
            };
        }
        Ok(all)
    })
}

/// The flags of our own server; leaves its rules in the data directory.
pub fn arguments(config: &SwarmConfig, own: &OwnServer) -> Result<Vec<String>, SwarmError> {
    // Room for a few guests beside the bots.
    let rules = config.scenario.rules(config.bots + 8, own.tick_hz);
    let rules_path = own.data_dir.join(RULES_FILE);
    let written =
        fs::create_dir_all(&own.data_dir).and_then(|()| fs::write(&rules_path, rules.to_toml()));
    written.map_err(|error| SwarmError::DataDir(own.data_dir.clone(), error))?;
    let map = own.map.clone().unwrap_or_else(|| config.scenario.map_for(config.bots));
    let valued = [
        ("--listen", "127.0.0.1:0".to_owned()),
        ("--ops", "127.0.0.1:0".to_owned()),
        ("--data-dir", own.data_dir.display().to_string()),
        ("--map", map),
        ("--rules", rules_path.display().to_string()),
        ("--threads", own.threads.to_string()),
        ("--seed", config.seed.to_string()),
    ];
    let valued = valued.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
    let flags = ["--dev-tickets", "--json", "--end-with-stdin"].map(str::to_owned);
    Ok(valued.chain(flags).collect())
}

/// The newest word of each thread.
struct Board {
    threads: Vec<SeatStatus>,
    started: Instant,
    told: Instant,
    snapshots_told: u64,
    progress: Progress,
}

impl Board {
    fn new(threads: usize, started: Instant) -> Self {
        Self {
            threads: vec![SeatStatus::default(); threads],
            started,
            told: started,
            snapshots_told: 0,
            progress: Progress::default(),
        }
    }

    /// Takes a thread's word; true when it is time to tell the user.
    fn update(&mut self, thread: usize, status: SeatStatus) -> bool {
        self.threads[thread] = status;
        let since = self.told.elapsed();
        if since < PROGRESS_EVERY {
            return false;
        }
        let sum = self.threads.iter().copied().fold(SeatStatus::default(), SeatStatus::plus);
        let fresh = sum.snapshots.saturating_sub(self.snapshots_told);
        self.progress = Progress {
            elapsed: self.started.elapsed(),
            connected: sum.playing,
            lost: sum.lost,
            tick: sum.tick,
            rtt_ms: sum.rtt_ms_sum / sum.playing.max(1) as f64,
            snapshots_per_s: fresh as f64 / since.as_secs_f64(),
            mode: sum.mode,
            tickets: sum.tickets,
            points: sum.points,
            shots: sum.shots,
            kills: sum.kills,
            rounds: sum.rounds,
            finished: sum.finished,
        };
        (self.told, self.snapshots_told) = (Instant::now(), sum.snapshots);
        true
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}

/// What the bots saw, as a report.
fn summarise(config: &SwarmConfig, outcome: Outcome, elapsed: Duration) -> SwarmReport {
    let mut report = SwarmReport {
        scenario: config.scenario.to_string(),
        bots: config.bots,
        server: match &config.server {
            ServerUnderTest::Running(target) => Some(target.addr),
            ServerUnderTest::Own(_) => None,
        },
        duration_s: rounded(elapsed.as_secs_f64()),
        swarm_cpu_seconds: rounded(outcome.cpu.as_secs_f64()),
        bots_got_cpu: outcome.turns.map(|turns| rounded(turns.share())),
        hostile: config.hostile.then(HostileReport::default),
        lane: LaneReport { asked: config.lane.to_string(), ..LaneReport::default() },
        ..SwarmReport::default()
    };
    // What a tick of the server owed to one bot, it owed to all that were there.
    let last = outcome.seats.iter().filter_map(|seat| seat.ticks).map(|(_, newest)| newest).max();
    let (mut rtt_ms, mut corrections) = (Samples::default(), Corrections::default());
    let (mut bytes, mut playing_s) = (0, 0.0);
    let mut control = ControlTally::default();
    let mut stood = SeatStatus::default();
    for seat in &outcome.seats {
        report.told.extend(&seat.told);
        stood = stood.plus(seat.status);
        report.clients_connected += usize::from(seat.connected);
        report.clients_lost += usize::from(seat.connected && !seat.playing && !seat.finished);
        report.clients_finished += usize::from(seat.finished);
        report.rounds = report.rounds.max(seat.rounds);
        report.clients_resumed += seat.resumes;
        report.soldiers_changed += usize::from(seat.soldier_changed);
        let resume_ms = rounded(seat.resume_max.as_secs_f64() * 1e3);
        report.resume_ms_max = report.resume_ms_max.max(resume_ms);
        if let (Some((first, _)), Some(last)) = (seat.ticks, last) {
            report.updates_expected += u64::from(last - first + 1);
        }
        if seat.connected {
            control.add(&seat.control);
        }
        if let Some(hostile) = &mut report.hostile {
            *hostile += seat.hostile;
        }
        report.lane.add(seat.playing, &seat.lane);
        report.updates_delivered += seat.snapshots;
        bytes += seat.snapshot_bytes;
        playing_s += seat.playing_for.as_secs_f64();
        rtt_ms.extend(&seat.rtt_ms);
        corrections.merge(&seat.corrections);
        if !seat.connected {
            let why = seat.ended.as_ref().or(seat.trouble.as_ref());
            let why = why.map_or("not answered yet", String::as_str);
            *report.shut_out.entry(why.to_owned()).or_default() += 1;
        }
        if let Some(reason) = &seat.ended {
            tracing::warn!(bot = seat.number, reason, "a bot was put out of the battle");
        }
    }
    report.seen =
        Seen { mode: stood.mode, shots: stood.shots, kills: stood.kills, score: stood.tickets };
    report.control = control.report();
    report.rtt_ms = rtt_ms.p50_p99();
    let correction_m = |share| rounded(f64::from(corrections.quantile_m(share)));
    report.correction_m = P50P99Max {
        p50: correction_m(0.5),
        p99: correction_m(0.99),
        max: rounded(f64::from(corrections.max_m())),
    };
    report.snapshot_bytes_per_client_per_s = rounded(bytes as f64 / f64::max(playing_s, 1e-3));
    report
}

/// What the server itself reported.
fn add_server(report: &mut SwarmReport, ended: &Ended) {
    let server = &ended.report;
    let count = |name: &str| server[name].as_u64();
    report.ticks = count("ticks");
    report.tick_overruns = count("tick_overruns");
    report.ticks_left_out = count("ticks_left_out");
    report.tick_cpu_us = server.get("tick_cpu_us").map(|cpu| {
        let at = |name: &str| cpu[name].as_f64().unwrap_or_default();
        TickCpu { p50: at("p50"), p99: at("p99"), p999: at("p999") }
    });
    report.server_cpu_seconds = ended.cpu_seconds.or(server["server_cpu_seconds"].as_f64());
    report.server_rss_mib = ended.rss_mib;
    report.server_got_cpu = ended.turns.map(|turns| rounded(turns.share()));
    report.shots = count("shots");
    report.hits = count("hits");
    report.kills = count("kills");
    report.captures = count("captures");
    report.replay_path = server["replay_path"].as_str().map(PathBuf::from);
}
