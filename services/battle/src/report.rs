//! What a battle server says of its life when it ends.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::histogram::Histogram;

/// The report of one run of a server. Battles that were taken up count what happened in them
/// since their beginning; ticks, costs and clients are this run's.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BattleReport {
    /// The battle, hexadecimal.
    pub battle_id: String,
    /// Why it ended: `stopped`, `duration` or `round`.
    pub ended_by: String,
    /// The last tick of the battle.
    pub last_tick: u32,
    /// Ticks stepped.
    pub ticks: u64,
    /// Ticks that took longer than a tick may, and ticks left out to catch up.
    pub tick_overruns: u64,
    /// Of these, the ticks that were left out to catch up: they are no part of `ticks`.
    pub ticks_left_out: u64,
    /// CPU time of the process per tick, all of its threads, microseconds.
    pub tick_cpu_us: Percentiles,
    /// Wall time of the tick's work, microseconds.
    pub tick_us: Percentiles,
    /// The server's own work in a tick: what it would have taken had nobody else wanted the
    /// processors, microseconds. The overload ladder goes by it.
    pub tick_own_us: Percentiles,
    /// What others on the machine took from ticks, seconds.
    pub stolen_seconds: f64,
    /// Wall time of its phases, by name, microseconds.
    pub phase_us: BTreeMap<&'static str, Percentiles>,
    /// CPU time of the process, user and system, seconds.
    pub server_cpu_seconds: f64,
    /// Most clients connected at a time.
    pub clients_peak: u32,
    /// Players that joined, once for each time.
    pub joins: u64,
    /// Players who were ever in the battle: so many rows has its result.
    pub players: u64,
    /// Times that a player came back.
    pub resumes: u64,
    /// Players whose connection was lost and who did not come back in time.
    pub clients_lost: u64,
    /// Snapshots that were due: one a client in the battle a tick, fewer when thinned out.
    pub updates_expected: u64,
    /// Snapshots sent.
    pub snapshots_sent: u64,
    /// Of these, those that left over the sealed lane.
    pub snapshots_sealed: u64,
    /// Their bytes before encryption.
    pub snapshot_bytes: u64,
    /// UDP bytes sent.
    pub bytes_out: u64,
    /// UDP bytes received.
    pub bytes_in: u64,
    /// Inputs that came too late to be used.
    pub inputs_late: u64,
    /// Inputs for ticks so far ahead that they were not kept.
    pub inputs_early: u64,
    /// Ticks of players that repeated an input, or had none.
    pub inputs_missing: u64,
    /// Datagrams and messages that were none.
    pub malformed: u64,
    /// Highest step of the overload ladder, 0 to 3.
    pub overload_step_max: u8,
    /// Shots fired.
    pub shots: u64,
    /// Wounds dealt to others.
    pub hits: u64,
    /// Soldiers downed by an enemy.
    pub kills: u64,
    /// Points that got a new owner.
    pub captures: u64,
    /// Most regions at a time.
    pub regions_max: u64,
    /// Regions split.
    pub splits: u64,
    /// Pairs of regions merged.
    pub merges: u64,
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Whether all of the battle is in it.
    pub journal_complete: bool,
    /// The replay; `None` when the journal was given up.
    pub replay_path: Option<PathBuf>,
    /// The state hash after the last tick, hexadecimal.
    pub state_hash: String,
    /// Winner of the round, 0 or 1; `None`: a draw, or not over.
    pub winner: Option<u8>,
}

/// Percentiles of a cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half took at most this.
    pub p50: f64,
    /// 99 of 100 took at most this.
    pub p99: f64,
    /// 999 of 1,000 took at most this.
    pub p999: f64,
}

impl From<&Histogram> for Percentiles {
    fn from(histogram: &Histogram) -> Self {
        let at = |share| histogram.quantile(share) as f64;
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }
}
