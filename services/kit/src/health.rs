//! What a service says of itself: alive, and ready or why not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A heartbeat older than this means that the process hangs.
pub const ALIVE_WITHIN: Duration = Duration::from_secs(3);

/// Shared between a service's work and its operations listener.
#[derive(Clone, Debug)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    /// Milliseconds after `started` of the last heartbeat.
    beat_ms: AtomicU64,
    /// Reasons for not being ready, by who gives them.
    not_ready: Mutex<BTreeMap<&'static str, String>>,
}

impl Default for Health {
    fn default() -> Self {
        let inner = Inner {
            started: Instant::now(),
            beat_ms: AtomicU64::new(0),
            not_ready: Mutex::new(BTreeMap::new()),
        };
        Self(Arc::new(inner))
    }
}

impl Health {
    /// The main loop is alive at `now`. Costs one store.
    pub fn beat(&self, now: Instant) {
        let since = now.saturating_duration_since(self.0.started);
        self.0.beat_ms.store(since.as_millis() as u64, Ordering::Relaxed);
    }

    /// Whether the last heartbeat is recent enough at `now`.
    pub fn is_alive(&self, now: Instant) -> bool {
        let beat = Duration::from_millis(self.0.beat_ms.load(Ordering::Relaxed));
        now.saturating_duration_since(self.0.started + beat) <= ALIVE_WITHIN
    }

    /// `part` has a reason for not being ready, or (`None`) has it no longer.
    pub fn set_not_ready(&self, part: &'static str, reason: Option<String>) {
        let mut reasons = self.0.not_ready.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => reasons.insert(part, reason),
            None => reasons.remove(part),
        };
    }

    /// All reasons for not being ready, a line each; empty when ready.
    pub fn not_ready(&self) -> Vec<String> {
        let reasons = self.0.not_ready.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.iter().map(|(part, reason)| format!("{part}: {reason}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_loop_is_not_alive() {
        let health = Health::default();
        let now = Instant::now();
        health.beat(now);
        assert!(health.is_alive(now + ALIVE_WITHIN / 2));
        assert!(!health.is_alive(now + ALIVE_WITHIN * 2));
    }

    #[test]
    fn every_part_has_its_own_reason() {
        let health = Health::default();
        health.set_not_ready("journal", Some("disk full".into()));
        health.set_not_ready("drain", Some("shutting down".into()));
        assert_eq!(health.not_ready(), ["drain: shutting down", "journal: disk full"]);
        health.set_not_ready("journal", None);
        assert_eq!(health.not_ready(), ["drain: shutting down"]);
    }
}
