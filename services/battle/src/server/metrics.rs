//! What `/metrics` shows. Handles are made once; without a recorder they do nothing.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use sortie_quic::SealedCounters;

use super::shard::Shard;

/// The server's metrics.
pub(super) struct Metrics {
    tick: Histogram,
    tick_cpu: Histogram,
    ticks: Counter,
    pub(super) overruns: Counter,
    pub(super) clients: Gauge,
    pub(super) players: Gauge,
    pub(super) overload_step: Gauge,
    pub(super) regions: Gauge,
    pub(super) region_load_max: Gauge,
    pub(super) region_splits: Counter,
    pub(super) region_merges: Counter,
    pub(super) inputs_late: Counter,
    pub(super) inputs_missing: Counter,
    pub(super) malformed: Counter,
    pub(super) turned_away: Counter,
    pub(super) resumes: Counter,
    pub(super) snapshots: Counter,
    pub(super) snapshot_bytes: Counter,
    pub(super) udp_bytes_in: Counter,
    pub(super) udp_bytes_out: Counter,
    lanes: LaneMetrics,
    pub(super) udp_syscalls: Counter,
    pub(super) journal_lag: Gauge,
    pub(super) journal_bytes: Gauge,
    pub(super) journal_dead: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        describe();
        Self {
            tick: metrics::histogram!("sortie_tick_duration_seconds"),
            tick_cpu: metrics::histogram!("sortie_tick_cpu_seconds"),
            ticks: metrics::counter!("sortie_ticks_total"),
            overruns: metrics::counter!("sortie_tick_overruns_total"),
            clients: metrics::gauge!("sortie_clients"),
            players: metrics::gauge!("sortie_players"),
            overload_step: metrics::gauge!("sortie_overload_step"),
            regions: metrics::gauge!("sortie_regions"),
            region_load_max: metrics::gauge!("sortie_region_load_max"),
            region_splits: metrics::counter!("sortie_region_splits_total"),
            region_merges: metrics::counter!("sortie_region_merges_total"),
            inputs_late: metrics::counter!("sortie_inputs_late_total"),
            inputs_missing: metrics::counter!("sortie_inputs_missing_total"),
            malformed: metrics::counter!("sortie_malformed_total"),
            turned_away: metrics::counter!("sortie_clients_turned_away_total"),
            resumes: metrics::counter!("sortie_resumes_total"),
            snapshots: metrics::counter!("sortie_snapshots_total"),
            snapshot_bytes: metrics::counter!("sortie_snapshot_bytes_total"),
            udp_bytes_in: metrics::counter!("sortie_udp_received_bytes_total"),
            udp_bytes_out: metrics::counter!("sortie_udp_sent_bytes_total"),
            lanes: LaneMetrics::new(),
            udp_syscalls: metrics::counter!("sortie_udp_syscalls_total"),
            journal_lag: metrics::gauge!("sortie_journal_lag_seconds"),
            journal_bytes: metrics::gauge!("sortie_journal_size_bytes"),
            journal_dead: metrics::gauge!("sortie_journal_dead"),
        }
    }

    pub(super) fn show_lanes(&self, shards: &[Shard]) {
        let lanes = &self.lanes;
        let counters = || shards.iter().filter_map(|shard| Some(shard.lanes.as_ref()?.counters()));
        let sum = |of: fn(SealedCounters) -> u64| counters().map(of).sum::<u64>();
        lanes.clients.set(shards.iter().map(Shard::sealed).sum::<usize>() as f64);
        lanes.opened.absolute(sum(|lanes| lanes.opened));
        lanes.snapshots.absolute(shards.iter().map(|shard| shard.counters.snapshots_sealed).sum());
        lanes.packets_in.absolute(sum(|lanes| lanes.packets_in));
        lanes.packets_out.absolute(sum(|lanes| lanes.packets_out));
        lanes.refused.absolute(sum(|lanes| lanes.refused));
        lanes.held.absolute(sum(|lanes| lanes.held));
        lanes.moves.absolute(sum(|lanes| lanes.moves));
    }

    pub(super) fn note_tick(&self, work: Duration, cpu: Duration) {
        self.tick.record(work.as_secs_f64());
        self.tick_cpu.record(cpu.as_secs_f64());
        self.ticks.increment(1);
    }
}

/// What went over the sealed lanes.
struct LaneMetrics {
    clients: Gauge,
    opened: Counter,
    snapshots: Counter,
    packets_in: Counter,
    packets_out: Counter,
    refused: Counter,
    held: Counter,
    moves: Counter,
}

impl LaneMetrics {
    fn new() -> Self {
        Self {
            clients: metrics::gauge!("sortie_sealed_clients"),
            opened: metrics::counter!("sortie_sealed_lanes_opened_total"),
            snapshots: metrics::counter!("sortie_sealed_snapshots_total"),
            packets_in: metrics::counter!("sortie_sealed_received_packets_total"),
            packets_out: metrics::counter!("sortie_sealed_sent_packets_total"),
            refused: metrics::counter!("sortie_sealed_refused_packets_total"),
            held: metrics::counter!("sortie_sealed_held_packets_total"),
            moves: metrics::counter!("sortie_sealed_moves_total"),
        }
    }
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge};
    metrics::describe_histogram!("sortie_tick_duration_seconds", "Wall time of a tick's work");
    metrics::describe_histogram!(
        "sortie_tick_cpu_seconds",
        "CPU time of the process from one tick to the next"
    );
    metrics::describe_histogram!("sortie_tick_phase_seconds", "Wall time of a tick's phases");
    counter!("sortie_ticks_total", "Ticks stepped");
    counter!("sortie_tick_overruns_total", "Ticks that took longer than a tick may, or left out");
    gauge!("sortie_clients", "Players with a connection");
    gauge!("sortie_players", "Players in the battle, away ones included");
    gauge!("sortie_overload_step", "0 all is well, 1 far thinned out, 2 half rate, 3 no joins");
    gauge!("sortie_regions", "Regions of the battlefield");
    gauge!("sortie_region_load_max", "Work units of the busiest region");
    counter!("sortie_region_splits_total", "Regions split");
    counter!("sortie_region_merges_total", "Pairs of regions merged");
    counter!("sortie_inputs_late_total", "Inputs that came too late to be used");
    counter!("sortie_inputs_missing_total", "Ticks of players without a fresh input");
    counter!("sortie_malformed_total", "Datagrams and messages that were none");
    counter!("sortie_clients_turned_away_total", "Hellos refused");
    counter!("sortie_resumes_total", "Players that came back");
    counter!("sortie_snapshots_total", "Snapshots sent");
    counter!("sortie_snapshot_bytes_total", "Their bytes before encryption");
    counter!("sortie_udp_received_bytes_total", "UDP payload received");
    counter!("sortie_udp_sent_bytes_total", "UDP payload sent");
    gauge!("sortie_sealed_clients", "Players whose datagrams go over the sealed lane");
    counter!("sortie_sealed_lanes_opened_total", "Sealed lanes opened");
    counter!("sortie_sealed_snapshots_total", "Snapshots sent over sealed lanes");
    counter!("sortie_sealed_received_packets_total", "Packets with a first byte below 0x40");
    counter!("sortie_sealed_sent_packets_total", "Sealed packets sent");
    counter!("sortie_sealed_refused_packets_total", "Of those received, the ones no lane took");
    counter!("sortie_sealed_held_packets_total", "Payloads held back from unproven addresses");
    counter!("sortie_sealed_moves_total", "Address changes that sealed lanes followed");
    counter!("sortie_udp_syscalls_total", "System calls that moved datagrams");
    gauge!("sortie_journal_lag_seconds", "Age of the oldest tick that is not on the disk");
    gauge!("sortie_journal_size_bytes", "Size of the journal");
    gauge!("sortie_journal_dead", "1 when the battle goes on unrecorded");
}
