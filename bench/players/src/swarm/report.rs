//! What a swarm saw, and whether that is what it promised.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use sortie_client::LaneStats;
use sortie_sim::config::Mode;
use sortie_wire::message::FeedEntry;

use super::hostile::{HostileReport, Judged, MEMORY_GROWTH_MAX_MIB};
use crate::samples::{P50P99, P50P99Max, Samples, Tail, rounded};

/// Share of the time that it wants a processor in which a program must have one to be judged.
const CPU_SHARE_MIN: f64 = 0.5;

/// How the reason for missed promises begins that is not the run's fault.
const BUSY: &str = "the machine is ";

/// The report of one run. Fields about the server are `null` when it was not ours to ask.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SwarmReport {
    /// What the bots did.
    pub scenario: String,
    /// Bots that were to connect.
    pub bots: usize,
    /// Seconds from the first connection attempt to the end.
    pub duration_s: f64,
    /// The server that they played on; `null`: one of our own.
    pub server: Option<SocketAddr>,
    /// The battle as the bots saw it.
    pub seen: Seen,
    /// Ticks that the server stepped.
    pub ticks: Option<u64>,
    /// Ticks that took longer than a tick may, and ticks left out to catch up.
    pub tick_overruns: Option<u64>,
    /// Of these, the ticks left out: they are no part of `ticks`.
    pub ticks_left_out: Option<u64>,
    /// CPU time of the server per tick, all of its threads, microseconds.
    pub tick_cpu_us: Option<TickCpu>,
    /// CPU time of the server process, user and system, from start to end.
    pub server_cpu_seconds: Option<f64>,
    /// Resident memory of the server process before it ended, MiB.
    pub server_rss_mib: Option<f64>,
    /// CPU time of the swarm's own threads.
    pub swarm_cpu_seconds: f64,
    /// Bots that got a soldier.
    pub clients_connected: usize,
    /// Of the others, how many never got in for which reason.
    pub shut_out: BTreeMap<String, usize>,
    /// Bots that had a soldier and could not keep it.
    pub clients_lost: usize,
    /// Bots whose battle was over before the swarm's time was: no loss.
    pub clients_finished: usize,
    /// Rounds that ended.
    pub rounds: u32,
    /// Share of the time it wanted a processor in which the server had one, 0 to 1; `null` where
    /// the system does not tell.
    pub server_got_cpu: Option<f64>,
    /// The same of the threads that drive the bots.
    pub bots_got_cpu: Option<f64>,
    /// Times that a bot lost its connection and came back to its soldier.
    pub clients_resumed: u64,
    /// Longest time from losing a connection to being back at the soldier, milliseconds.
    pub resume_ms_max: f64,
    /// Bots that came back to another soldier than their own.
    pub soldiers_changed: usize,
    /// Round-trip time as the clients measured it, milliseconds.
    pub rtt_ms: P50P99,
    /// Bytes of snapshots, before encryption, per connected client and second.
    pub snapshot_bytes_per_client_per_s: f64,
    /// Snapshots that the server's ticks owed to the connected clients.
    pub updates_expected: u64,
    /// Snapshots that were decoded.
    pub updates_delivered: u64,
    /// How far the clients' predicted position was from the server's, metres.
    pub correction_m: P50P99Max,
    /// Whether the bots had control of their soldiers.
    pub control: ControlReport,
    /// What was done to bots and server in a hostile run; then `control` counts only what was told
    /// of while nothing had been in the way for a second.
    pub hostile: Option<HostileReport>,
    /// What inputs and snapshots travelled over.
    pub lane: LaneReport,
    /// Shots fired.
    pub shots: Option<u64>,
    /// Shots that hit.
    pub hits: Option<u64>,
    /// Enemies killed.
    pub kills: Option<u64>,
    /// Points that changed hands.
    pub captures: Option<u64>,
    /// The replay of the battle.
    pub replay_path: Option<PathBuf>,
    /// Whether the replay gave every recorded hash again; `null` when there is none to verify.
    pub replay_verified: Option<bool>,
    /// What each bot was told of the fight, one after the other; not a part of the printed report.
    #[serde(skip)]
    pub told: Vec<FeedEntry>,
    /// Promises that this run did not keep; empty when all is well.
    pub missed: Vec<String>,
}

/// A battle as the bots saw it: all that there is of a server that is not ours to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Seen {
    /// What its rounds were about, as the server told; `null`: nobody got in.
    pub mode: Option<Mode>,
    /// Shots that the bots fired.
    pub shots: u64,
    /// Enemies downed by anybody, as the bot that was told most was told.
    pub kills: u64,
    /// Tickets left, or score reached, per team, when last told.
    pub score: [u32; 2],
}

/// Percentiles of the CPU time of a tick, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TickCpu {
    /// Half of the ticks took at most this.
    pub p50: f64,
    /// 99 of 100 ticks took at most this.
    pub p99: f64,
    /// 999 of 1,000 ticks took at most this.
    pub p999: f64,
}

/// Whether the server consumed the bots' inputs, as its snapshots told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ControlReport {
    /// Share of the ticks told of that consumed an input sent for them, 0 to 1, over all bots.
    pub ticks_played: f64,
    /// Share of the ticks that did not, per bot.
    pub ticks_unplayed: P50P99Max,
    /// Longest time without a sign that an input was consumed, per bot, milliseconds.
    pub without_ms: P50P99Max,
    /// Bots that were without control for longer than [`WITHOUT_CONTROL_MAX`].
    pub bots_without: usize,
    /// Bots with less than [`TICKS_PLAYED_MIN`] of their ticks.
    pub bots_starved: usize,
}

/// A bot may be without control of its soldier for so long at a time.
pub const WITHOUT_CONTROL_MAX: Duration = Duration::from_secs(2);
/// Share of the ticks that have to consume a bot's own input; at up to 40 % loss, that is promised.
pub const TICKS_PLAYED_MIN: f64 = 0.9;

/// Adds up what the bots say of their control.
#[derive(Debug, Default)]
pub(super) struct ControlTally {
    told: u64,
    unplayed: u64,
    shares: Samples,
    without_ms: Samples,
    bots_without: usize,
    bots_starved: usize,
}

impl ControlTally {
    /// Adds a bot that got a soldier.
    pub(super) fn add(&mut self, bot: &Judged) {
        let Judged { told, unplayed, without_max: without } = *bot;
        // A bot that was never told of a tick played none.
        let share = if told == 0 { 1.0 } else { unplayed as f64 / told as f64 };
        self.told += told;
        self.unplayed += unplayed;
        self.shares.push(share as f32);
        self.without_ms.push(without.as_secs_f32() * 1e3);
        self.bots_without += usize::from(without > WITHOUT_CONTROL_MAX);
        self.bots_starved += usize::from(1.0 - share < TICKS_PLAYED_MIN);
    }

    pub(super) fn report(mut self) -> ControlReport {
        let played = self.told.saturating_sub(self.unplayed);
        ControlReport {
            ticks_played: rounded(played as f64 / self.told.max(1) as f64),
            ticks_unplayed: self.shares.p50_p99_max(),
            without_ms: self.without_ms.p50_p99_max(),
            bots_without: self.bots_without,
            bots_starved: self.bots_starved,
        }
    }
}

/// What inputs and snapshots travelled over, as the bots counted it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LaneReport {
    /// What the bots were told to use: `auto`, `quic` or `sealed`.
    pub asked: String,
    /// Bots that played over the sealed lane at the end.
    pub clients_sealed: usize,
    /// Sealed lanes that were opened.
    pub opened: u64,
    /// Times that a bot went back to QUIC because no sealed packet arrived any more.
    pub fallbacks: u64,
    /// Inputs sent over QUIC.
    pub inputs_quic: u64,
    /// Inputs sent over the sealed lane.
    pub inputs_sealed: u64,
    /// Snapshots received over QUIC.
    pub snapshots_quic: u64,
    /// Snapshots received over the sealed lane.
    pub snapshots_sealed: u64,
}

impl LaneReport {
    /// Adds what one bot counted.
    pub(super) fn add(&mut self, playing: bool, lane: &LaneStats) {
        self.clients_sealed += usize::from(playing && lane.is_sealed);
        self.opened += lane.opened;
        self.fallbacks += lane.fallbacks;
        self.inputs_quic += lane.inputs_quic;
        self.inputs_sealed += lane.inputs_sealed;
        self.snapshots_quic += lane.snapshots_quic;
        self.snapshots_sealed += lane.snapshots_sealed;
    }

    /// Share of inputs and snapshots that went over the sealed lane, 0 to 1.
    pub fn sealed_share(&self) -> f64 {
        let sealed = self.inputs_sealed + self.snapshots_sealed;
        let all = sealed + self.inputs_quic + self.snapshots_quic;
        sealed as f64 / all.max(1) as f64
    }
}

impl From<Tail> for TickCpu {
    fn from(Tail { p50, p99, p999, .. }: Tail) -> Self {
        Self { p50, p99, p999 }
    }
}

impl SwarmReport {
    /// Names every promise that the report misses, apart from the replay, which the caller
    /// verifies afterwards.
    pub fn check_promises(&mut self) {
        let mut missed = Vec::new();
        if self.clients_connected < self.bots {
            let why = self.shut_out.iter().map(|(why, bots)| format!("{why} ({bots})"));
            let why: Vec<String> = why.collect();
            missed.push(format!(
                "{} of {} bots never got a soldier{}{}",
                self.bots - self.clients_connected,
                self.bots,
                if why.is_empty() { "" } else { ": " },
                why.join(", ")
            ));
        }
        if self.clients_lost > 0 {
            missed.push(format!("{} of {} clients were lost", self.clients_lost, self.bots));
        }
        if self.soldiers_changed > 0 {
            missed.push(format!(
                "{} of {} bots came back to another soldier",
                self.soldiers_changed, self.bots
            ));
        }
        if self.bots > 0 && self.updates_delivered == 0 {
            missed.push("no snapshot was delivered".to_owned());
        }
        let control = &self.control;
        if control.bots_without > 0 {
            missed.push(format!(
                "{} of {} bots were without control of their soldiers for longer than {} s, \
                 {:.1} s at worst",
                control.bots_without,
                self.bots,
                WITHOUT_CONTROL_MAX.as_secs(),
                control.without_ms.max / 1e3
            ));
        }
        if control.bots_starved > 0 {
            missed.push(format!(
                "the server consumed the inputs of {} of {} bots in less than {:.0} % of the \
                 ticks, {:.0} % at worst",
                control.bots_starved,
                self.bots,
                100.0 * TICKS_PLAYED_MIN,
                100.0 * (1.0 - control.ticks_unplayed.max)
            ));
        }
        if let Some(grown) = self.memory_growth_mib().filter(|&mib| mib > MEMORY_GROWTH_MAX_MIB) {
            missed.push(format!(
                "the server's memory grew by {grown:.1} MiB in the last four tenths of the run"
            ));
        }
        if let (Some(reason), false) = (self.busy_machine(), missed.is_empty()) {
            // Perhaps why, and no promise itself: behind those that decide.
            missed.push(format!("{BUSY}{reason}"));
        }
        self.missed.append(&mut missed);
    }

    /// Says that the machine had too little time for the run, and how little; `None` when it had
    /// enough. Who waits for a processor longer than it runs cannot keep the pace of a battle.
    pub fn busy_machine(&self) -> Option<String> {
        let shares = [("the server", self.server_got_cpu), ("the bots", self.bots_got_cpu)];
        let known: Vec<_> =
            shares.iter().filter_map(|(who, share)| Some((who, (*share)?))).collect();
        known.iter().any(|(_, share)| *share < CPU_SHARE_MIN).then(|| {
            let percent = |share: &f64| format!("{:.0} %", share * 100.0);
            let told = match known.as_slice() {
                [(_, server), (_, bots)] => format!(
                    "the server got {} of the CPU time it wanted, the bots {}",
                    percent(server),
                    percent(bots)
                ),
                alone => alone
                    .iter()
                    .map(|(who, share)| {
                        format!("{who} got {} of the CPU time wanted", percent(share))
                    })
                    .collect(),
            };
            format!("busy: {told}; figures are worth little below {}", percent(&CPU_SHARE_MIN))
        })
    }

    /// The promises that were missed, without the reason that [`busy_machine`](Self::busy_machine)
    /// tells.
    pub fn missed_apart_from_busy(&self) -> impl Iterator<Item = &str> {
        self.missed.iter().map(String::as_str).filter(|missed| !missed.starts_with(BUSY))
    }

    /// How much the server's memory grew in the last four tenths of a hostile run, MiB; `None`
    /// where it was not read.
    pub fn memory_growth_mib(&self) -> Option<f64> {
        Some(self.server_rss_mib? - self.hostile?.server_rss_mib_before?)
    }

    /// Whether nobody got in at all.
    pub fn is_shut_out(&self) -> bool {
        self.bots > 0 && self.clients_connected == 0
    }

    /// Notes the outcome of verifying the replay.
    pub fn set_verified(&mut self, outcome: Result<(), String>) {
        self.replay_verified = Some(outcome.is_ok());
        if let Err(reason) = outcome {
            self.miss(format!("the replay does not verify: {reason}"));
        }
    }

    /// Notes a promise that was missed: before the word about the machine, which is none.
    pub fn miss(&mut self, what: String) {
        let is_promise = |missed: &String| !missed.starts_with(BUSY);
        let behind = self.missed.iter().rposition(is_promise).map_or(0, |last| last + 1);
        self.missed.insert(behind, what);
    }

    /// Delivered over expected snapshots, 0 to 1.
    pub fn delivered_share(&self) -> f64 {
        self.updates_delivered as f64 / self.updates_expected.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_run_misses_nothing() {
        let mut report = SwarmReport {
            bots: 2,
            clients_connected: 2,
            updates_delivered: 1,
            ..SwarmReport::default()
        };
        report.check_promises();
        report.set_verified(Ok(()));
        assert_eq!(report.missed, [""; 0]);
    }

    #[test]
    fn a_bot_whose_inputs_are_not_consumed_fails_the_run() {
        let missed = |bots: &[(u64, u64, u64)]| {
            let mut tally = ControlTally::default();
            for &(told, unplayed, ms) in bots {
                tally.add(&Judged { told, unplayed, without_max: Duration::from_millis(ms) });
            }
            let mut report = SwarmReport {
                bots: bots.len(),
                clients_connected: bots.len(),
                updates_delivered: 1,
                ..SwarmReport::default()
            };
            report.control = tally.report();
            report.check_promises();
            report.missed
        };
        let good = (600, 12, 180);
        assert_eq!(missed(&[good; 100]), [""; 0]);
        // One of a hundred that has no control, as when its inputs come too early for ever.
        let mut bots = [good; 100];
        bots[17] = (600, 590, 9_000);
        let said = missed(&bots);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("1 of 100 bots") && said[0].contains("9.0 s"), "{said:?}");
        assert!(said[1].contains("1 of 100 bots") && said[1].contains("2 % at worst"), "{said:?}");
        assert_eq!(missed(&[(0, 0, 0)]).len(), 1, "told of no tick at all");
    }

    #[test]
    fn a_battle_that_is_over_is_no_loss_and_a_busy_machine_is_named() {
        let mut report = SwarmReport {
            bots: 2,
            clients_connected: 2,
            clients_finished: 2,
            updates_delivered: 1,
            server_got_cpu: Some(0.4),
            bots_got_cpu: Some(0.9),
            ..SwarmReport::default()
        };
        report.check_promises();
        assert_eq!(report.missed, [""; 0], "all went well, busy or not");
        report.clients_lost = 1;
        report.check_promises();
        assert_eq!(report.missed.len(), 2, "{:?}", report.missed);
        assert_eq!(
            &report.missed[1],
            "the machine is busy: the server got 40 % of the CPU time it wanted, the bots 90 %; \
             figures are worth little below 50 %"
        );
        assert!(report.missed_apart_from_busy().eq(["1 of 2 clients were lost"]));
        report.set_verified(Err("tick 7 differs".to_owned()));
        assert_eq!(report.missed[0], "1 of 2 clients were lost", "what decides stands first");
        assert!(report.missed[1].contains("tick 7") && report.missed[2].starts_with(BUSY));
        (report.server_got_cpu, report.missed) = (Some(0.6), Vec::new());
        report.check_promises();
        assert_eq!(report.missed, ["1 of 2 clients were lost"]);
    }

    #[test]
    fn each_missed_promise_is_named() {
        let mut report =
            SwarmReport { bots: 3, clients_connected: 2, clients_lost: 1, ..Default::default() };
        report.check_promises();
        report.set_verified(Err("tick 7 differs".to_owned()));
        assert_eq!(report.missed.len(), 4, "{:?}", report.missed);
        assert_eq!(report.replay_verified, Some(false));
    }
}
