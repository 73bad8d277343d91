//! A whole battle server under thousands of light clients, and what it cost in the steady state.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::link::{Lane, Traffic};
use super::oracle::{self, Verdict};
use super::pace::{PHASES, Pace};
use super::player::{Board, Player, Stage, Tally};
use super::scrape::Metrics;
use super::watch::Seen;
use super::{frames, process};
use crate::measure::cpu::thread_time;
use crate::pin::{CLIENT_CORE, SERVER_CORE, on_core, raise_file_limit};
use crate::samples::{Tail, rounded};
use crate::scenario::{S1_RADIUS_M, Scenario};
use crate::swarm::{self, OwnServer, ServerProcess, SwarmConfig};

/// New connections a second: handshakes cost, and must not look like overload.
const ARRIVALS_PER_S: u32 = 120;

/// The first client is alone for this long, so that the clock of the server can be learnt.
const ALONE: Duration = Duration::from_millis(1_500);

/// Longest that all clients may take to be in the field once the last one has arrived.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Ticks that watched clients keep.
const KEPT_TICKS: u32 = 120;

/// A state that a client still holds may be so many ticks old, where not all fit into a datagram.
const HELD_TICKS: u32 = 600;

/// One whole run.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// The `sortie` binary.
    pub program: PathBuf,
    /// Where server and replay may write.
    pub data_dir: PathBuf,
    /// What the clients do.
    pub scenario: Scenario,
    /// How many clients.
    pub players: usize,
    /// Ticks a second.
    pub tick_hz: u32,
    /// What carries inputs and snapshots.
    pub lane: Lane,
    /// Threads and shards of the server; one is bound to a core of its own.
    pub threads: usize,
    /// Steady seconds before the clock runs.
    pub warm_up: Duration,
    /// Seconds that count.
    pub steady: Duration,
    /// Clients that decode everything.
    pub watched: usize,
}

/// What one run came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Run {
    /// Clients.
    pub players: usize,
    /// Ticks a second.
    pub tick_hz: u32,
    /// CPU microseconds of the server process per player and tick.
    pub us_per_player_tick: f64,
    /// Share of one core that the server process took.
    pub core_share: f64,
    /// CPU microseconds of ksoftirqd on the server's core per player and tick, not in the above.
    pub ksoftirqd_us: f64,
    /// Microseconds of wall time per player and tick, by phase of the server's tick.
    pub phase_us: BTreeMap<String, f64>,
    /// Snapshots that reached the clients over those that the ticks of the time owed them.
    pub delivered: f64,
    /// Ticks that took too long or were left out, over those that there should have been.
    pub overrun_share: f64,
    /// Ticks stepped per second over those that there should have been.
    pub tick_share: f64,
    /// Highest step of the overload ladder while it counted.
    pub overload_step: f64,
    /// Age of snapshots when their clients looked, milliseconds.
    pub age_ms: Tail,
    /// Client ticks for which the server had no fresh input, 0 to 1.
    pub starved: f64,
    /// Bytes of snapshots per client and second, before encryption.
    pub app_bytes_per_s: f64,
    /// UDP payload per client and second, down.
    pub udp_down_bytes_per_s: f64,
    /// UDP payload per client and second, up.
    pub udp_up_bytes_per_s: f64,
    /// Mean size of a datagram to a client.
    pub down_bytes: f64,
    /// Mean size of a datagram to the server.
    pub up_bytes: f64,
    /// Resident memory of the server, MiB.
    pub rss_mib: f64,
    /// Percentiles of the tick's CPU time once everyone has come, microseconds.
    pub tick_cpu_us: BTreeMap<String, f64>,
    /// System calls for datagrams per tick of the server.
    pub syscalls_per_tick: f64,
    /// Share of the clients' core that the clients took.
    pub client_core_share: f64,
    /// Phases of the clients' beat that began a tick late or more.
    pub clients_late: u64,
    /// Clients that were lost on the way, with the first reason.
    pub lost: usize,
    /// Why the first of them was.
    pub lost_reason: Option<String>,
    /// Datagrams that clients could not read.
    pub malformed: u64,
    /// What sampled clients were told, compared with the replay.
    pub verdict: Verdict,
}

impl Run {
    /// Whether the server held its clients: nearly everything delivered, in time, nothing thinned
    /// out, all of it true.
    pub fn holds(&self) -> bool {
        self.delivered >= 0.96
            && self.overrun_share < 0.01
            && self.age_ms.p99 <= 33.0
            && self.overload_step == 0.0
            && self.lost == 0
    }

    /// The correctness guard in a few words.
    pub fn guard(&self) -> String {
        let Verdict { states, states_wrong, own_wrong, unknown, .. } = self.verdict;
        let wrong = states_wrong + own_wrong + unknown + self.malformed;
        format!(
            "{wrong} of {states} states wrong, recall {:.3} %, {:.2} % delivered, age p99 {:.1} \
             ms, {:.2} % overruns{}",
            100.0 * self.verdict.recall(),
            100.0 * self.delivered,
            self.age_ms.p99,
            100.0 * self.overrun_share,
            if self.lost > 0 { format!(", {} LOST", self.lost) } else { String::new() },
        )
    }

    /// Whether what was measured was right.
    pub fn is_true(&self) -> bool {
        self.verdict.is_exact() && self.verdict.recall() >= 0.999 && self.malformed == 0
    }
}

/// Starts a server, drives its clients, ends it, and compares what they were told with its replay.
///
/// # Errors
/// The server does not start or ends early, sockets fail, or the replay cannot be read.
pub fn run(config: &RunConfig) -> io::Result<Run> {
    raise_file_limit(config.players)?;
    let arguments = arguments(config)?;
    let start = || ServerProcess::start(&config.program, &arguments);
    // Several threads need several cores, and share them with the clients where there are few.
    let server = if config.threads == 1 { on_core(SERVER_CORE, start)? } else { start() };
    let server = server.map_err(io::Error::other)?;
    let (mut run, seen) = on_core(CLIENT_CORE, || drive(config, &server)).and_then(|done| done)?;
    let ended = server.end().map_err(io::Error::other)?;
    run.rss_mib = ended.rss_mib.unwrap_or_default();
    if let Some(cpu) = ended.report["tick_cpu_us"].as_object() {
        let values = cpu.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)));
        run.tick_cpu_us = values.collect();
    }
    let replay = ended.report["replay_path"].as_str().map(PathBuf::from);
    let replay = replay.ok_or_else(|| io::Error::other("the server left no replay"))?;
    run.verdict = judge(config, &replay, &seen)?;
    Ok(run)
}

/// The server's flags.
fn arguments(config: &RunConfig) -> io::Result<Vec<String>> {
    let own = OwnServer {
        program: config.program.clone(),
        data_dir: config.data_dir.clone(),
        map: None,
        tick_hz: config.tick_hz,
        threads: config.threads,
    };
    let swarm = SwarmConfig {
        bots: config.players,
        duration: Duration::ZERO,
        scenario: config.scenario,
        seed: 1,
        threads: 1,
        lane: swarm::LanePolicy::Auto,
        link: swarm::Link::default(),
        server: swarm::Server::Own(own.clone()),
    };
    let mut arguments = swarm::arguments(&swarm, &own).map_err(io::Error::other)?;
    let shards = config.threads.next_power_of_two();
    let steady_from = joining(config) + config.warm_up;
    let ticks = (steady_from.as_secs_f64() * f64::from(config.tick_hz)) as u32;
    arguments.extend(["--shards".to_owned(), shards.to_string()]);
    arguments.extend(["--report-from".to_owned(), ticks.to_string()]);
    Ok(arguments)
}

/// How long it takes until the last client has come.
fn joining(config: &RunConfig) -> Duration {
    ALONE + Duration::from_secs(1) * config.players as u32 / ARRIVALS_PER_S
}

/// Brings everyone into the field, waits, counts.
fn drive(config: &RunConfig, server: &ServerProcess) -> io::Result<(Run, Vec<Seen>)> {
    let target = server.target().map_err(io::Error::other)?;
    let ops = server.ready.ops.ok_or_else(|| io::Error::other("the server has no metrics"))?;
    let mut pace = Pace::new(config.tick_hz);
    let board = Board::new(pace.period());
    let started = Instant::now();
    let every = config.players / config.watched.clamp(1, config.players.max(1));
    let mut players: Vec<Player<'_>> = (0..config.players)
        .map(|number| {
            let after = Duration::from_secs(1) * number as u32 / ARRIVALS_PER_S;
            let arrival = started + if number == 0 { Duration::ZERO } else { ALONE + after };
            let watches = number.is_multiple_of(every.max(1));
            Player::new(number, arrival, &target, &board, config.lane, watches)
        })
        .collect();
    let deadline = started + joining(config) + JOIN_TIMEOUT;
    while !players.iter().all(Player::is_in_field) {
        for _ in 0..PHASES {
            pace.phase(&mut players)?;
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(not_there(&players)));
        }
    }
    turn(&mut pace, &mut players, config.warm_up)?;
    let mut counting = Counting::begin(config, server, ops, &board, &players)?;
    pace.late = 0;
    turn(&mut pace, &mut players, config.steady)?;
    counting.end(server, &board)?;
    // What was sent in time may still be on its way.
    turn(&mut pace, &mut players, Duration::from_millis(200))?;
    let mut run = counting.run(config, ops, &board, &players)?;
    run.clients_late = pace.late;
    let now = Instant::now();
    players.iter_mut().for_each(|player| player.leave(now));
    let watches = players.iter_mut().filter_map(Player::watch);
    let seen = watches.flat_map(|watch| {
        run.malformed += watch.undecodable;
        std::mem::take(&mut watch.seen)
    });
    let seen = seen.collect();
    Ok((run, seen))
}

fn turn(pace: &mut Pace, players: &mut [Player<'_>], time: Duration) -> io::Result<()> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        pace.phase(players)?;
    }
    Ok(())
}

fn not_there(players: &[Player<'_>]) -> String {
    let there = players.iter().filter(|player| player.is_in_field()).count();
    let over = players.iter().find_map(|player| match player.stage() {
        Stage::Over(reason) => Some(reason.as_str()),
        _ => None,
    });
    let over = over.map(|reason| format!("; one was put out: {reason}")).unwrap_or_default();
    format!("{there} of {} clients are in the field{over}", players.len())
}

/// Figures at the beginning of what counts, and at its end.
struct Counting {
    metrics: Metrics,
    traffic: Traffic,
    from: u32,
    to: u32,
    began: Instant,
    took: Duration,
    server_cpu: f64,
    ksoftirqd: f64,
    client_cpu: Duration,
}

impl Counting {
    fn begin(
        config: &RunConfig,
        server: &ServerProcess,
        ops: std::net::SocketAddr,
        board: &Board,
        players: &[Player<'_>],
    ) -> io::Result<Self> {
        let metrics = Metrics::fetch(ops)?;
        let from = board.newest.get() + 2;
        let ticks = (config.steady.as_secs_f64() * f64::from(config.tick_hz)) as u32;
        board.ages.borrow_mut().count_from(from, ticks + config.tick_hz, players.len());
        board.window.set((from, u32::MAX));
        board.kept.set((from, from + KEPT_TICKS.min(ticks)));
        Ok(Self {
            metrics,
            traffic: traffic(players),
            from,
            to: from,
            client_cpu: thread_time(),
            ksoftirqd: process::ksoftirqd_seconds(SERVER_CORE).unwrap_or_default(),
            server_cpu: process::cpu_seconds(server.id())?,
            began: Instant::now(),
            took: Duration::ZERO,
        })
    }

    fn end(&mut self, server: &ServerProcess, board: &Board) -> io::Result<()> {
        self.server_cpu = process::cpu_seconds(server.id())? - self.server_cpu;
        let ksoftirqd = process::ksoftirqd_seconds(SERVER_CORE).unwrap_or_default();
        self.ksoftirqd = ksoftirqd - self.ksoftirqd;
        self.took = self.began.elapsed();
        self.client_cpu = thread_time() - self.client_cpu;
        self.to = board.newest.get() + 1;
        board.window.set((self.from, self.to));
        Ok(())
    }

    fn run(
        &self,
        config: &RunConfig,
        ops: std::net::SocketAddr,
        board: &Board,
        players: &[Player<'_>],
    ) -> io::Result<Run> {
        let metrics = Metrics::fetch(ops)?;
        let seconds = self.took.as_secs_f64();
        let count = players.len() as f64;
        // Of the metrics' own, slightly longer, window.
        let stepped = metrics.since(&self.metrics, "sortie_ticks_total").max(1.0);
        let ticks = f64::from(self.to - self.from).max(1.0);
        let due = (seconds * f64::from(config.tick_hz)).max(1.0);
        let tally = players.iter().map(Player::tally).fold(Tally::default(), plus);
        let traffic = traffic(players).since(self.traffic);
        let per_player_tick = |seconds: f64| rounded(seconds * 1e6 / (count * due));
        let per_second = |bytes: u64| rounded(bytes as f64 / (count * seconds));
        let phases = metrics.phases_since(&self.metrics).into_iter();
        let mut lost = players.iter().filter_map(|player| match player.stage() {
            Stage::Over(reason) => Some(reason.clone()),
            _ => None,
        });
        let lost_reason = lost.next();
        Ok(Run {
            players: players.len(),
            tick_hz: config.tick_hz,
            us_per_player_tick: per_player_tick(self.server_cpu),
            core_share: rounded(self.server_cpu / seconds),
            ksoftirqd_us: per_player_tick(self.ksoftirqd),
            phase_us: phases
                .map(|(name, spent)| (name, rounded(spent * 1e6 / (count * stepped))))
                .collect(),
            delivered: rounded(tally.snapshots as f64 / (count * ticks)),
            overrun_share: rounded(
                metrics.since(&self.metrics, "sortie_tick_overruns_total") / stepped,
            ),
            tick_share: rounded(ticks / due),
            overload_step: metrics.get("sortie_overload_step"),
            age_ms: board.ages.borrow().tail_ms(),
            starved: rounded(tally.starved as f64 / (tally.snapshots as f64).max(1.0)),
            app_bytes_per_s: per_second(tally.snapshot_bytes),
            udp_down_bytes_per_s: per_second(traffic.bytes_down),
            udp_up_bytes_per_s: per_second(traffic.bytes_up),
            down_bytes: rounded(traffic.bytes_down as f64 / traffic.packets_down.max(1) as f64),
            up_bytes: rounded(traffic.bytes_up as f64 / traffic.packets_up.max(1) as f64),
            syscalls_per_tick: rounded(
                metrics.since(&self.metrics, "sortie_udp_syscalls_total") / stepped,
            ),
            client_core_share: rounded(self.client_cpu.as_secs_f64() / seconds),
            lost: usize::from(lost_reason.is_some()) + lost.count(),
            lost_reason,
            malformed: tally.malformed + traffic.unopened,
            ..Run::default()
        })
    }
}

fn traffic(players: &[Player<'_>]) -> Traffic {
    players.iter().map(Player::traffic).fold(Traffic::default(), Traffic::plus)
}

fn plus(sum: Tally, more: Tally) -> Tally {
    Tally {
        snapshots: sum.snapshots + more.snapshots,
        snapshot_bytes: sum.snapshot_bytes + more.snapshot_bytes,
        starved: sum.starved + more.starved,
        malformed: sum.malformed + more.malformed,
    }
}

/// Has the replay say how things were, and compares.
fn judge(config: &RunConfig, replay: &Path, seen: &[Seen]) -> io::Result<Verdict> {
    let ticks = seen.iter().map(|seen| seen.tick);
    let (Some(first), Some(last)) = (ticks.clone().min(), ticks.max()) else {
        return Ok(Verdict::default());
    };
    let out = config.data_dir.join("frames.bin");
    let status = Command::new(&config.program)
        .arg("replay")
        .arg(replay)
        .arg("--frames")
        .arg(&out)
        .arg("--ticks")
        .arg(format!("{}..{}", first.saturating_sub(HELD_TICKS).max(1), last + 1))
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("the replay does not verify ({status})")));
    }
    let frames = frames::read(&mut BufReader::new(File::open(&out)?))?;
    std::fs::remove_file(&out)?;
    let radius_m = match config.scenario {
        Scenario::Uniform => S1_RADIUS_M,
        _ => f64::INFINITY,
    };
    Ok(oracle::judge(seen, &frames, radius_m))
}
