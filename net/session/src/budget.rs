//! How many bytes one player's snapshots may take: a token bucket that follows the path's loss.

use crate::peer::LossCounters;

/// Loss above this share is read as congestion. Below it lies the ordinary loss of radio links,
/// to which sending less is no answer.
const CONGESTION_LOSS: f32 = 0.12;
/// Packets between two looks at the loss.
const SAMPLE_PACKETS: u64 = 64;
/// The rate never falls below this share of the configured one.
const FLOOR: f32 = 0.125;

/// A token bucket filled once per tick.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    /// Bytes per tick at full rate.
    full_per_tick: f32,
    /// Share of the full rate that the path bears, [`FLOOR`] to 1.
    share: f32,
    /// Bytes in the bucket.
    tokens: f32,
    filled_at: u32,
    seen: LossCounters,
}

impl ByteBudget {
    /// A full bucket for `bytes_per_s` at `tick_hz`. It holds a quarter of a second.
    pub fn new(bytes_per_s: u32, tick_hz: u16) -> Self {
        let full_per_tick = bytes_per_s as f32 / f32::from(tick_hz.max(1));
        Self {
            full_per_tick,
            share: 1.0,
            tokens: bytes_per_s as f32 / 4.0,
            filled_at: 0,
            seen: LossCounters::default(),
        }
    }

    /// Fills the bucket for the ticks passed and gives the bytes that may leave in this one.
    pub fn available(&mut self, tick: u32, tick_hz: u16) -> usize {
        let ticks = tick.saturating_sub(self.filled_at).min(u32::from(tick_hz));
        self.filled_at = tick;
        let depth = self.full_per_tick * f32::from(tick_hz) / 4.0;
        self.tokens = (self.tokens + self.full_per_tick * self.share * ticks as f32).min(depth);
        self.tokens.max(0.0) as usize
    }

    /// Takes what was sent out of the bucket.
    pub fn spend(&mut self, bytes: usize) {
        self.tokens -= bytes as f32;
    }

    /// The next totals are those of another lane.
    pub fn change_lane(&mut self) {
        // More than any lane has sent: what comes next counts as a new beginning.
        self.seen.sent = u64::MAX;
    }

    /// Follows the lane's totals: backs off under congestion, recovers slowly without.
    pub fn note_loss(&mut self, total: LossCounters) {
        if total.sent < self.seen.sent {
            // A new lane counts from 0; what the old path bore says nothing about this one.
            self.seen = total;
            self.share = 1.0;
            return;
        }
        let sent = total.sent - self.seen.sent;
        if sent < SAMPLE_PACKETS {
            return;
        }
        let lost = total.lost.saturating_sub(self.seen.lost);
        self.seen = total;
        self.share = if lost as f32 > CONGESTION_LOSS * sent as f32 {
            (self.share * 0.7).max(FLOOR)
        } else {
            (self.share + 0.05).min(1.0)
        };
    }

    /// Share of the configured rate in use, 0.125 to 1.
    pub fn share(&self) -> f32 {
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_over_time() {
        let mut budget = ByteBudget::new(6_000, 60);
        let mut sent = 0;
        for tick in 1..=600 {
            let bytes = budget.available(tick, 60).min(1_200);
            budget.spend(bytes);
            sent += bytes;
        }
        // Ten seconds of 6,000 bytes and the quarter second that the bucket held.
        assert!((60_000..=61_600).contains(&sent), "{sent}");
    }

    #[test]
    fn what_another_lane_lost_is_not_held_against_this_one() {
        let mut budget = ByteBudget::new(6_000, 60);
        budget.note_loss(LossCounters { sent: 1_000, lost: 0 });
        budget.change_lane();
        budget.note_loss(LossCounters { sent: 2_000, lost: 900 });
        assert_eq!(budget.share(), 1.0);
        budget.note_loss(LossCounters { sent: 2_100, lost: 950 });
        assert!(budget.share() < 1.0);
    }

    #[test]
    fn congestion_backs_off_and_radio_loss_does_not() {
        let mut budget = ByteBudget::new(6_000, 60);
        budget.note_loss(LossCounters { sent: 1_000, lost: 60 });
        assert_eq!(budget.share(), 1.0);
        budget.note_loss(LossCounters { sent: 1_100, lost: 90 });
        assert!(budget.share() < 0.75);
        for round in 1..=10 {
            budget.note_loss(LossCounters { sent: 1_100 + round * 100, lost: 90 });
        }
        assert_eq!(budget.share(), 1.0);
    }
}
