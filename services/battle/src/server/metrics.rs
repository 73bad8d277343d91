//! What `/metrics` shows. Handles are made once; without a recorder they do nothing.

use std::cell::{Cell, RefCell};

use metrics::{Counter, Gauge, Histogram};
use sortie_quic::SealedCounters;
use sortie_wire::close::CloseCode;

use super::seat::Path;
use super::shard::Shard;
use super::work::Took;

/// The server's metrics.
pub(super) struct Metrics {
    tick: Histogram,
    tick_own: Histogram,
    tick_stolen: Histogram,
    tick_cpu: Histogram,
    ticks: Counter,
    pub(super) overruns: Running,
    pub(super) clients: Gauge,
    pub(super) players: Gauge,
    pub(super) overload_step: Gauge,
    pub(super) regions: Gauge,
    pub(super) region_load_max: Gauge,
    /// One for each region that there ever was at a time: at most as many as the rules allow.
    region_loads: RefCell<Vec<Gauge>>,
    client_rtt: Histogram,
    client_loss: Histogram,
    pub(super) region_splits: Running,
    pub(super) region_merges: Running,
    pub(super) inputs_late: Running,
    pub(super) inputs_early: Running,
    pub(super) inputs_missing: Running,
    pub(super) malformed: Running,
    pub(super) turned_away: Running,
    pub(super) resumes: Running,
    pub(super) snapshots: Running,
    pub(super) snapshot_bytes: Running,
    pub(super) udp_bytes_in: Running,
    pub(super) udp_bytes_out: Running,
    lanes: LaneMetrics,
    pub(super) udp_syscalls: Running,
    pub(super) journal_lag: Gauge,
    pub(super) journal_bytes: Gauge,
    pub(super) journal_dead: Gauge,
    pub(super) journal_errors: Counter,
}

impl Metrics {
    pub(super) fn new() -> Self {
        describe();
        Self {
            tick: metrics::histogram!("sortie_tick_duration_seconds"),
            tick_own: metrics::histogram!("sortie_tick_own_seconds"),
            tick_stolen: metrics::histogram!("sortie_tick_stolen_seconds"),
            tick_cpu: metrics::histogram!("sortie_tick_cpu_seconds"),
            ticks: metrics::counter!("sortie_ticks_total"),
            overruns: Running::of(metrics::counter!("sortie_tick_overruns_total")),
            clients: metrics::gauge!("sortie_clients"),
            players: metrics::gauge!("sortie_players"),
            overload_step: metrics::gauge!("sortie_overload_step"),
            regions: metrics::gauge!("sortie_regions"),
            region_load_max: metrics::gauge!("sortie_region_load_max"),
            region_loads: RefCell::default(),
            client_rtt: metrics::histogram!("sortie_client_rtt_seconds"),
            client_loss: metrics::histogram!("sortie_client_loss_ratio"),
            region_splits: Running::of(metrics::counter!("sortie_region_splits_total")),
            region_merges: Running::of(metrics::counter!("sortie_region_merges_total")),
            inputs_late: Running::of(metrics::counter!("sortie_inputs_late_total")),
            inputs_early: Running::of(metrics::counter!("sortie_inputs_early_total")),
            inputs_missing: Running::of(metrics::counter!("sortie_inputs_missing_total")),
            malformed: Running::of(metrics::counter!("sortie_malformed_total")),
            turned_away: Running::of(metrics::counter!("sortie_clients_turned_away_total")),
            resumes: Running::of(metrics::counter!("sortie_resumes_total")),
            snapshots: Running::of(metrics::counter!("sortie_snapshots_total")),
            snapshot_bytes: Running::of(metrics::counter!("sortie_snapshot_bytes_total")),
            udp_bytes_in: Running::of(metrics::counter!("sortie_udp_received_bytes_total")),
            udp_bytes_out: Running::of(metrics::counter!("sortie_udp_sent_bytes_total")),
            lanes: LaneMetrics::new(),
            udp_syscalls: Running::of(metrics::counter!("sortie_udp_syscalls_total")),
            journal_lag: metrics::gauge!("sortie_journal_lag_seconds"),
            journal_bytes: metrics::gauge!("sortie_journal_size_bytes"),
            journal_dead: metrics::gauge!("sortie_journal_dead"),
            journal_errors: metrics::counter!("sortie_journal_errors_total"),
        }
    }

    /// Another battle begins, whose counts begin at zero; what is shown goes on.
    pub(super) fn begin_battle(&self) {
        let lanes = &self.lanes;
        let all = [
            &self.overruns,
            &self.region_splits,
            &self.region_merges,
            &self.inputs_late,
            &self.inputs_early,
            &self.inputs_missing,
            &self.malformed,
            &self.turned_away,
            &self.resumes,
            &self.snapshots,
            &self.snapshot_bytes,
            &self.udp_bytes_in,
            &self.udp_bytes_out,
            &self.udp_syscalls,
            &lanes.opened,
            &lanes.snapshots,
            &lanes.packets_in,
            &lanes.packets_out,
            &lanes.refused,
            &lanes.held,
            &lanes.moves,
        ];
        all.into_iter().for_each(Running::begin_battle);
    }

    /// How much each region has to do, by its place in their order. What there was more of before
    /// is shown as idle.
    pub(super) fn show_regions(&self, loads: impl Iterator<Item = u32>) {
        let mut gauges = self.region_loads.borrow_mut();
        let mut shown = 0;
        for (index, load) in loads.enumerate() {
            if index == gauges.len() {
                let region = index.to_string();
                gauges.push(metrics::gauge!("sortie_region_load_units", "region" => region));
            }
            gauges[index].set(f64::from(load));
            shown = index + 1;
        }
        gauges[shown..].iter().for_each(|gauge| gauge.set(0.0));
    }

    /// How the path of a player who is here is.
    pub(super) fn note_path(&self, path: &mut Path) {
        if let Some(rtt) = path.rtt {
            self.client_rtt.record(rtt.as_secs_f64());
        }
        if let Some(loss) = path.loss_since_shown() {
            self.client_loss.record(loss);
        }
    }

    /// A hello was refused.
    pub(super) fn note_refusal(&self, code: CloseCode) {
        metrics::counter!("sortie_refusals_total", "reason" => format!("{code:?}")).increment(1);
    }

    /// The battle is over: nobody is in it.
    pub(super) fn end_battle(&self) {
        self.clients.set(0.0);
        self.players.set(0.0);
        self.lanes.clients.set(0.0);
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

    pub(super) fn note_tick(&self, took: &Took) {
        self.tick.record(took.wall.as_secs_f64());
        self.tick_own.record(took.own.as_secs_f64());
        self.tick_stolen.record(took.stolen.as_secs_f64());
        self.tick_cpu.record(took.cpu.as_secs_f64());
        self.ticks.increment(1);
    }
}

/// A counter of the process that is told the sum of one battle at a time.
pub(super) struct Running {
    counter: Counter,
    /// In the battles before.
    before: Cell<u64>,
    now: Cell<u64>,
}

impl Running {
    fn of(counter: Counter) -> Self {
        Self { counter, before: Cell::new(0), now: Cell::new(0) }
    }

    /// So many in this battle.
    pub(super) fn absolute(&self, count: u64) {
        self.now.set(count);
        self.counter.absolute(self.before.get() + count);
    }

    fn begin_battle(&self) {
        self.before.set(self.before.get() + self.now.replace(0));
    }
}

/// What went over the sealed lanes.
struct LaneMetrics {
    clients: Gauge,
    opened: Running,
    snapshots: Running,
    packets_in: Running,
    packets_out: Running,
    refused: Running,
    held: Running,
    moves: Running,
}

impl LaneMetrics {
    fn new() -> Self {
        Self {
            clients: metrics::gauge!("sortie_sealed_clients"),
            opened: Running::of(metrics::counter!("sortie_sealed_lanes_opened_total")),
            snapshots: Running::of(metrics::counter!("sortie_sealed_snapshots_total")),
            packets_in: Running::of(metrics::counter!("sortie_sealed_received_packets_total")),
            packets_out: Running::of(metrics::counter!("sortie_sealed_sent_packets_total")),
            refused: Running::of(metrics::counter!("sortie_sealed_refused_packets_total")),
            held: Running::of(metrics::counter!("sortie_sealed_held_packets_total")),
            moves: Running::of(metrics::counter!("sortie_sealed_moves_total")),
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
    metrics::describe_histogram!(
        "sortie_tick_own_seconds",
        "The server's own work in a tick; the overload ladder goes by it"
    );
    metrics::describe_histogram!(
        "sortie_tick_stolen_seconds",
        "What others on the machine took from a tick, a late beginning included"
    );
    metrics::describe_histogram!("sortie_tick_phase_seconds", "Wall time of a tick's phases");
    counter!("sortie_ticks_total", "Ticks stepped");
    counter!("sortie_tick_overruns_total", "Ticks that took longer than a tick may, or left out");
    gauge!("sortie_clock_ahead_seconds", "How far the machine's clock is ahead of the fleet's");
    gauge!("sortie_clients", "Players with a connection");
    gauge!("sortie_players", "Players in the battle, away ones included");
    gauge!("sortie_overload_step", "0 all is well, 1 far thinned out, 2 half rate, 3 no joins");
    gauge!("sortie_regions", "Regions of the battlefield");
    gauge!("sortie_region_load_max", "Work units of the busiest region");
    gauge!("sortie_region_load_units", "Work units of each region, by its place in their order");
    metrics::describe_histogram!(
        "sortie_client_rtt_seconds",
        "Smoothed round-trip times of clients, each about once a second"
    );
    metrics::describe_histogram!(
        "sortie_client_loss_ratio",
        "Share of packets lost on the way to clients, each about once a second"
    );
    counter!("sortie_refusals_total", "Hellos refused, by the code that the client is told");
    counter!("sortie_region_splits_total", "Regions split");
    counter!("sortie_region_merges_total", "Pairs of regions merged");
    counter!("sortie_inputs_late_total", "Inputs that came too late to be used");
    counter!("sortie_inputs_early_total", "Inputs for ticks too far ahead to be kept");
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
    counter!("sortie_journal_errors_total", "Journals given up: the disk failed, or was too slow");
}
