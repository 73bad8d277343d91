//! A whole battle server under thousands of light clients, and what it cost in the steady state.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use super::config::RunConfig;
use super::count::Counting;
use super::oracle::{self, Verdict};
use super::pace::{PHASES, Pace};
use super::player::{Board, Player};
pub use super::report::RunReport;
use super::watch::ClientSnapshot;
use crate::pin::{CLIENT_CORE, SERVER_CORE, on_core, raise_file_limit};
use sortie_players::frames;
use sortie_players::scenario::{S1_RADIUS_M, Scenario};
use sortie_players::swarm::{self, OwnServer, ServerProcess, SwarmConfig};

/// New connections a second: handshakes cost, and must not look like overload.
const ARRIVALS_PER_S: u32 = 120;

/// The first client is alone for this long, so that the clock of the server can be learnt.
const ALONE: Duration = Duration::from_millis(1_500);

/// Longest that all clients may take to be in the field once the last one has arrived.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// A state that a client still holds may be so many ticks old, where not all fit into a datagram.
const HELD_TICKS: u32 = 600;

/// Starts a server, drives its clients, ends it, and compares what they were told with its replay.
///
/// # Errors
/// The server does not start or ends early, sockets fail, or the replay cannot be read.
pub fn run(config: &RunConfig) -> io::Result<RunReport> {
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
        link: swarm::NetworkConditions::default(),
        hostile: false,
        server: swarm::ServerUnderTest::Own(own.clone()),
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
fn drive(
    config: &RunConfig,
    server: &ServerProcess,
) -> io::Result<(RunReport, Vec<ClientSnapshot>)> {
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
            // A server that takes nobody more does not hold them: that is a result, too.
            break;
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

/// Has the replay say how things were, and compares.
fn judge(config: &RunConfig, replay: &Path, seen: &[ClientSnapshot]) -> io::Result<Verdict> {
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
