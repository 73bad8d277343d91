//! What a server under light clients costs between two moments of the steady state.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::config::RunConfig;
use super::link::Traffic;
use super::player::{Board, Player, Tally};
use super::process;
use super::report::RunReport;
use super::scrape::Metrics;
use crate::pin::SERVER_CORE;
use sortie_players::cpu::thread_time;
use sortie_players::samples::rounded;
use sortie_players::swarm::ServerProcess;

/// Ticks that watched clients keep.
const KEPT_TICKS: u32 = 120;

/// Figures at the beginning of what counts, and at its end.
pub struct Counting {
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
    /// From now on it counts.
    ///
    /// # Errors
    /// The server does not answer any more.
    pub fn begin(
        config: &RunConfig,
        server: &ServerProcess,
        ops: SocketAddr,
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

    /// Up to now it counted.
    ///
    /// # Errors
    /// There is no server any more.
    pub fn end(&mut self, server: &ServerProcess, board: &Board) -> io::Result<()> {
        self.server_cpu = process::cpu_seconds(server.id())? - self.server_cpu;
        let ksoftirqd = process::ksoftirqd_seconds(SERVER_CORE).unwrap_or_default();
        self.ksoftirqd = ksoftirqd - self.ksoftirqd;
        self.took = self.began.elapsed();
        self.client_cpu = thread_time() - self.client_cpu;
        self.to = board.newest.get() + 1;
        board.window.set((self.from, self.to));
        Ok(())
    }

    /// What it came to.
    ///
    /// # Errors
    /// The server does not answer any more.
    pub fn run(
        &self,
        config: &RunConfig,
        ops: SocketAddr,
        board: &Board,
        players: &[Player<'_>],
    ) -> io::Result<RunReport> {
        let metrics = Metrics::fetch(ops)?;
        let seconds = self.took.as_secs_f64();
        let there = players.iter().filter(|player| player.is_in_field()).count();
        let count = (there as f64).max(1.0);
        // Of the metrics' own, slightly longer, window.
        let stepped = metrics.since(&self.metrics, "sortie_ticks_total").max(1.0);
        let ticks = f64::from(self.to - self.from).max(1.0);
        let due = (seconds * f64::from(config.tick_hz)).max(1.0);
        let tally = players.iter().map(Player::tally).fold(Tally::default(), plus);
        let traffic = traffic(players).since(self.traffic);
        // Ticks that were left out cost nothing, and count for nothing.
        let per_player_tick = |seconds: f64| rounded(seconds * 1e6 / (count * ticks));
        let per_second = |bytes: u64| rounded(bytes as f64 / (count * seconds));
        let phases = metrics.phases_since(&self.metrics).into_iter();
        let lost = players.iter().find(|player| !player.is_in_field()).map(Player::stage);
        let lost_reason = lost.map(|stage| format!("{stage:?}"));
        Ok(RunReport {
            players: players.len(),
            tick_hz: config.tick_hz,
            us_per_player_tick: per_player_tick(self.server_cpu),
            core_share: rounded(self.server_cpu / ticks * f64::from(config.tick_hz)),
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
            lost: players.len() - there,
            lost_reason,
            malformed: tally.malformed + traffic.unopened,
            ..RunReport::default()
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
