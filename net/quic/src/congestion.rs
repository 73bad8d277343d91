//! A congestion window with a floor and a ceiling.
//!
//! The game paces itself: at most one datagram a tick, shrunk by the session when the path loses.
//! The window must never hold that back, and still bound what a peer that never acknowledges can
//! make us keep, and slow a join burst down on a path that loses it. So: halve once per loss
//! round, not below [`FLOOR_BYTES`]; grow by what is acknowledged, not above [`CEILING_BYTES`].
//! At the floor, 100 ms of round trip still carry 400 KB/s, five times a full-size snapshot stream.
//!
//! quinn's own controllers may fall to two packets under random loss and then queue snapshots. A
//! window beyond `u32::MAX`, which switches pacing off, would leave nothing in charge of streams.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory};

pub(crate) const FLOOR_BYTES: u64 = 32 << 10;
pub(crate) const START_BYTES: u64 = 64 << 10;
pub(crate) const CEILING_BYTES: u64 = 256 << 10;

#[derive(Clone)]
pub(crate) struct GameWindow {
    window_bytes: u64,
    /// Losses of packets sent before this belong to the round that was already answered.
    round_began: Option<Instant>,
}

impl Controller for GameWindow {
    fn on_ack(&mut self, _: Instant, _: Instant, bytes: u64, app_limited: bool, _: &RttEstimator) {
        if !app_limited {
            // Doubling takes as many acknowledged windows as it holds eighths: eight rounds.
            self.window_bytes = (self.window_bytes + bytes / 8).min(CEILING_BYTES);
        }
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, _: bool, _: u64) {
        if self.round_began.is_some_and(|began| sent <= began) {
            return;
        }
        self.round_began = Some(now);
        self.window_bytes = (self.window_bytes / 2).max(FLOOR_BYTES);
    }

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        self.window_bytes
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        START_BYTES
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

pub(crate) struct GameWindowFactory;

impl ControllerFactory for GameWindowFactory {
    fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(GameWindow { window_bytes: START_BYTES, round_began: None })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_round_of_losses_halves_once_and_never_below_the_floor() {
        let start = Instant::now();
        let mut window = GameWindow { window_bytes: 128 << 10, round_began: None };
        for _ in 0..10 {
            window.on_congestion_event(start + Duration::from_millis(100), start, false, 1_200);
        }
        assert_eq!(window.window(), 64 << 10);
        for round in 2..20 {
            let now = start + Duration::from_millis(100 * round);
            window.on_congestion_event(now, now - Duration::from_millis(1), true, 1_200);
        }
        assert_eq!(window.window(), FLOOR_BYTES);
    }
}
