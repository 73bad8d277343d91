//! What a swarm saw, and whether that is what it promised.

use std::path::PathBuf;

use serde::Serialize;
use sortie_client::LaneStats;
use sortie_wire::message::FeedEntry;

use crate::samples::{P50P99, P50P99Max, Tail};

/// The report of one run. Fields about the server are `null` when it was not ours to ask.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SwarmReport {
    /// What the bots did.
    pub scenario: String,
    /// Bots that were to connect.
    pub bots: usize,
    /// Seconds from the first connection attempt to the end.
    pub duration_s: f64,
    /// Ticks that the server stepped.
    pub ticks: Option<u64>,
    /// Ticks that took longer than a tick may.
    pub tick_overruns: Option<u64>,
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
    /// Bots that had a soldier and could not keep it.
    pub clients_lost: usize,
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
            missed.push(format!(
                "{} of {} bots never got a soldier",
                self.bots - self.clients_connected,
                self.bots
            ));
        }
        if self.clients_lost > 0 {
            missed.push(format!("{} clients were lost", self.clients_lost));
        }
        if self.soldiers_changed > 0 {
            missed.push(format!("{} bots came back to another soldier", self.soldiers_changed));
        }
        if self.bots > 0 && self.updates_delivered == 0 {
            missed.push("no snapshot was delivered".to_owned());
        }
        self.missed.append(&mut missed);
    }

    /// Notes the outcome of verifying the replay.
    pub fn set_verified(&mut self, outcome: Result<(), String>) {
        self.replay_verified = Some(outcome.is_ok());
        if let Err(reason) = outcome {
            self.missed.push(format!("the replay does not verify: {reason}"));
        }
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
    fn each_missed_promise_is_named() {
        let mut report =
            SwarmReport { bots: 3, clients_connected: 2, clients_lost: 1, ..Default::default() };
        report.check_promises();
        report.set_verified(Err("tick 7 differs".to_owned()));
        assert_eq!(report.missed.len(), 4, "{:?}", report.missed);
        assert_eq!(report.replay_verified, Some(false));
    }
}
