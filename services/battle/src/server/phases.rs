//! Where a tick's time goes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::report::Percentiles;

/// The phases of a tick, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Sockets are drained, QUIC runs, inputs are read.
    Receive,
    /// Hellos are answered, inputs become commands.
    Gather,
    /// The battle is stepped.
    Step,
    /// It is found out who sees whom.
    Look,
    /// Snapshots are encoded and queued.
    Tell,
    /// Packets are sealed and sent.
    Send,
    /// The state is hashed and handed to the journal.
    Record,
}

impl Phase {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Receive, "receive"),
        (Self::Gather, "gather"),
        (Self::Step, "step"),
        (Self::Look, "look"),
        (Self::Tell, "tell"),
        (Self::Send, "send"),
        (Self::Record, "record"),
    ];
}

/// Wall time of each phase.
pub(super) struct Phases {
    last: Instant,
    rows: Vec<(Histogram, metrics::Histogram)>,
}

impl Phases {
    pub(super) fn new(now: Instant) -> Self {
        let row = |(_, name): &(Phase, &'static str)| {
            let seen = metrics::histogram!("sortie_tick_phase_seconds", "phase" => *name);
            (Histogram::default(), seen)
        };
        Self { last: now, rows: Phase::ALL.iter().map(row).collect() }
    }

    /// A tick begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.last = now;
    }

    /// `phase` is over; it began when the one before was over.
    pub(super) fn end(&mut self, phase: Phase) {
        let now = Instant::now();
        let took: Duration = now.saturating_duration_since(self.last);
        self.last = now;
        let (all, seen) = &mut self.rows[phase as usize];
        all.record(took.as_micros() as u64);
        seen.record(took.as_secs_f64());
    }

    /// Percentiles by name.
    pub(super) fn report(&self) -> BTreeMap<&'static str, Percentiles> {
        let rows = Phase::ALL.iter().zip(&self.rows);
        rows.map(|((_, name), (all, _))| (*name, Percentiles::from(all))).collect()
    }
}
