//! What a link does to packets. Every fault is a named option with a unit; the default is a
//! perfect wire.

use std::time::Duration;

/// A probability in millionths: 50,000 is 5 %. Integers, so that equal settings compare equal and
/// draw the same everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probability(u32);

impl Probability {
    /// It never happens.
    pub const ZERO: Self = Self(0);

    /// A number of millionths; above a million it means always.
    pub const fn millionths(millionths: u32) -> Self {
        Self(if millionths > 1_000_000 { 1_000_000 } else { millionths })
    }

    /// Whole per cent, 0..=100; above it means always.
    pub const fn percent(percent: u32) -> Self {
        Self::millionths(percent.saturating_mul(10_000))
    }

    /// The value in millionths, 0..=1,000,000.
    pub const fn as_millionths(self) -> u32 {
        self.0
    }
}

/// Loss in bursts (Gilbert's model): a good state and a bad one, in which every packet is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Chance for each packet in the good state that the bad state begins with it.
    pub begin: Probability,
    /// Chance after each packet lost in the bad state that the state ends.
    pub end: Probability,
}

/// What one direction of a path does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Time that every packet takes.
    pub delay: Duration,
    /// Additional time, uniform in 0..=jitter, drawn for each packet.
    pub jitter: Duration,
    /// Whether jitter may let a packet overtake another (as `tc netem` does), or packets queue
    /// behind the slowest one before them (as most real paths do). Default: they queue.
    pub jitter_reorders: bool,
    /// Packets lost one by one, independently.
    pub loss: Probability,
    /// Packets lost in bursts, besides `loss`.
    pub burst_loss: Option<Burst>,
    /// Packets that arrive without `delay` and `jitter`, ahead of those on the way.
    pub reorder: Probability,
    /// Packets delivered twice; the copy draws a jitter of its own.
    pub duplicate: Probability,
    /// Bytes a second that the link carries; `None` for no limit.
    pub rate_limit_bytes_per_s: Option<u64>,
    /// Bytes that may wait for the rate limit; a packet that does not fit is lost.
    pub queue_bytes_max: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            jitter_reorders: false,
            loss: Probability::ZERO,
            burst_loss: None,
            reorder: Probability::ZERO,
            duplicate: Probability::ZERO,
            rate_limit_bytes_per_s: None,
            queue_bytes_max: 256 << 10,
        }
    }
}

impl LinkConfig {
    /// A wire with delay, jitter and independent loss, the usual case.
    pub fn lossy(delay: Duration, jitter: Duration, loss: Probability) -> Self {
        Self { delay, jitter, loss, ..Self::default() }
    }
}
