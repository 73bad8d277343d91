//! One direction of a path.
//!
//! Order of the faults, as on a real path: loss, then the queue in front of the rate limit, then
//! the way itself (delay and jitter), then duplication at the far end. Packets leave in order of
//! their arrival time, and those of equal time in the order in which they came in.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::config::LinkConfig;
use crate::rng::Rng;

/// What happened on a link so far. `pushed + duplicated = delivered + lost + dropped + waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that came in.
    pub pushed: u64,
    /// Packets handed out, copies included.
    pub delivered: u64,
    /// Packets lost to `loss` or `burst_loss`.
    pub lost: u64,
    /// Packets that found the rate limit's queue full.
    pub dropped: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Packets sent ahead of others.
    pub reordered: u64,
}

struct InFlight<T> {
    at: Instant,
    sequence: u64,
    packet: T,
}

impl<T> PartialEq for InFlight<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<T> Eq for InFlight<T> {}
impl<T> PartialOrd for InFlight<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for InFlight<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// One direction of a path; `T` is a packet with whatever the caller wants to know about it.
pub struct Link<T> {
    config: LinkConfig,
    rng: Rng,
    in_flight: BinaryHeap<Reverse<InFlight<T>>>,
    sequence: u64,
    in_burst: bool,
    /// When the rate limit has passed on all that waits in front of it.
    busy_until: Option<Instant>,
    /// Latest arrival so far: packets queue behind it unless jitter may reorder.
    latest: Option<Instant>,
    counters: Counters,
}

impl<T: Clone> Link<T> {
    /// A link; equal configurations, seeds and calls give equal results.
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            config,
            rng: Rng::new(seed),
            in_flight: BinaryHeap::new(),
            sequence: 0,
            in_burst: false,
            busy_until: None,
            latest: None,
            counters: Counters::default(),
        }
    }

    /// Sends a packet of `size_bytes` (for the rate limit) at `now`.
    pub fn push(&mut self, now: Instant, packet: T, size_bytes: usize) {
        self.counters.pushed += 1;
        if self.is_lost() {
            self.counters.lost += 1;
            return;
        }
        let Some(departs) = self.departure(now, size_bytes as u64) else {
            self.counters.dropped += 1;
            return;
        };
        let copy = self.draw(self.config.duplicate.as_millionths()).then(|| packet.clone());
        if self.draw(self.config.reorder.as_millionths()) {
            self.counters.reordered += 1;
            self.enqueue(departs, packet);
        } else {
            let at = self.arrival(departs);
            self.enqueue(at, packet);
        }
        if let Some(copy) = copy {
            self.counters.duplicated += 1;
            let at = self.arrival(departs);
            self.enqueue(at, copy);
        }
    }

    /// The next packet that has arrived by `now`.
    pub fn poll(&mut self, now: Instant) -> Option<T> {
        if self.next_at()? > now {
            return None;
        }
        let Reverse(arrived) = self.in_flight.pop()?;
        self.counters.delivered += 1;
        Some(arrived.packet)
    }

    /// When the next packet arrives; `None` while nothing is on the way.
    pub fn next_at(&self) -> Option<Instant> {
        self.in_flight.peek().map(|Reverse(next)| next.at)
    }

    /// Packets on the way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Totals since the link was made.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Changes the weather. Packets on the way keep the time they were given.
    pub fn set_config(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// One draw, made only for an option that is on: turning one fault on leaves the fate of a
    /// packet under the others as it was for single draws, and a perfect wire draws nothing.
    fn draw(&mut self, millionths: u32) -> bool {
        millionths > 0 && self.rng.chance(millionths)
    }

    fn is_lost(&mut self) -> bool {
        if let Some(burst) = self.config.burst_loss {
            if !self.in_burst {
                self.in_burst = self.draw(burst.begin.as_millionths());
            }
            if self.in_burst {
                self.in_burst = !self.draw(burst.end.as_millionths());
                return true;
            }
        }
        self.draw(self.config.loss.as_millionths())
    }

    /// When the rate limit lets the packet go; `None` when its queue is full.
    fn departure(&mut self, now: Instant, size_bytes: u64) -> Option<Instant> {
        let Some(rate) = self.config.rate_limit_bytes_per_s else { return Some(now) };
        let rate = rate.max(1);
        let starts = self.busy_until.map_or(now, |busy| busy.max(now));
        let waiting = starts.duration_since(now).as_nanos() * u128::from(rate) / 1_000_000_000;
        if waiting + u128::from(size_bytes) > u128::from(self.config.queue_bytes_max) {
            return None;
        }
        let nanos = u128::from(size_bytes) * 1_000_000_000 / u128::from(rate);
        let ends = starts + Duration::from_nanos(nanos.min(u128::from(u64::MAX)) as u64);
        self.busy_until = Some(ends);
        Some(ends)
    }

    fn arrival(&mut self, departs: Instant) -> Instant {
        let jitter_nanos = self.config.jitter.as_nanos().min(u128::from(u64::MAX) - 1) as u64;
        let jitter = match jitter_nanos {
            0 => Duration::ZERO,
            nanos => Duration::from_nanos(self.rng.below(nanos + 1)),
        };
        let at = departs + self.config.delay + jitter;
        if self.config.jitter_reorders {
            return at;
        }
        let at = self.latest.map_or(at, |latest| latest.max(at));
        self.latest = Some(at);
        at
    }

    fn enqueue(&mut self, at: Instant, packet: T) {
        self.sequence += 1;
        self.in_flight.push(Reverse(InFlight { at, sequence: self.sequence, packet }));
    }
}
