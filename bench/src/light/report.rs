//! What a run of a whole server under light clients came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::oracle::Verdict;
use sortie_players::samples::Tail;

/// What one run came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunReport {
    /// Clients.
    pub players: usize,
    /// Ticks a second.
    pub tick_hz: u32,
    /// CPU microseconds of the server process per player and tick.
    pub us_per_player_tick: f64,
    /// Cores that the server process needs for all of its ticks, by what stepped ones cost.
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

impl RunReport {
    /// Whether the work was done that the figures are of: nearly everything delivered, nothing
    /// thinned out. It may have been late.
    pub fn is_whole(&self) -> bool {
        self.delivered >= 0.96 && self.overload_step == 0.0 && self.lost == 0
    }

    /// Whether the server held its clients: nearly everything delivered, in time, nothing thinned
    /// out, all of it true.
    pub fn holds(&self) -> bool {
        self.is_whole() && self.overrun_share < 0.01 && self.age_ms.p99 <= 33.0
    }

    /// The correctness guard in a few words.
    pub fn guard(&self) -> String {
        let Verdict { states, states_wrong, own_wrong, unknown, .. } = self.verdict;
        let wrong = states_wrong + own_wrong + unknown + self.malformed;
        format!(
            "{wrong} of {states} states wrong, recall {:.3} %, {:.2} % delivered, age p99 {:.1} \
             ms, {:.2} % overruns{}{}{}",
            100.0 * self.verdict.recall(),
            100.0 * self.delivered,
            self.age_ms.p99,
            100.0 * self.overrun_share,
            some(self.lost as f64, " players not held"),
            some(self.overload_step, " as overload step"),
            some(self.clients_late as f64, " phases of the clients late"),
        )
    }

    /// Whether what was measured was right.
    pub fn is_true(&self) -> bool {
        self.verdict.is_exact() && self.verdict.recall() >= 0.999 && self.malformed == 0
    }
}

fn some(count: f64, what: &str) -> String {
    if count > 0.0 { format!(", {count}{what}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_holds_when_all_is_in_time() {
        let good = RunReport { delivered: 0.97, ..RunReport::default() };
        assert!(good.holds() && !good.is_true(), "nothing was compared");
        for bad in [
            RunReport { delivered: 0.95, ..good.clone() },
            RunReport { overrun_share: 0.01, ..good.clone() },
            RunReport { overload_step: 1.0, ..good.clone() },
            RunReport { age_ms: Tail { p99: 34.0, ..Tail::default() }, ..good.clone() },
            RunReport { lost: 1, ..good.clone() },
        ] {
            assert!(!bad.holds(), "{bad:?}");
        }
    }
}
