//! What `/metrics` shows. Handles are made once; without a recorder they do nothing.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

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
            journal_lag: metrics::gauge!("sortie_journal_lag_seconds"),
            journal_bytes: metrics::gauge!("sortie_journal_size_bytes"),
            journal_dead: metrics::gauge!("sortie_journal_dead"),
        }
    }

    pub(super) fn note_tick(&self, work: Duration, cpu: Duration) {
        self.tick.record(work.as_secs_f64());
        self.tick_cpu.record(cpu.as_secs_f64());
        self.ticks.increment(1);
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
    gauge!("sortie_journal_lag_seconds", "Age of the oldest tick that is not on the disk");
    gauge!("sortie_journal_size_bytes", "Size of the journal");
    gauge!("sortie_journal_dead", "1 when the battle goes on unrecorded");
}
