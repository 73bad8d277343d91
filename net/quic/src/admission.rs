//! Who may begin a handshake.
//!
//! A handshake costs up to a millisecond and some kilobytes, a first packet only its sender's
//! bandwidth, and its source address may be a lie. Hence two budgets. Newcomers with an unproven
//! address are accepted while few of them are pending and few come a second (in all and from
//! their address range), and are otherwise asked by Retry to prove it: stateless, and eight times
//! smaller than what they sent. Those who proved it are limited by a bucket of their own range,
//! which nobody else can drain by forging addresses.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// When newcomers must prove their address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Unfinished handshakes with unproven addresses at most. 0: everyone is asked. Default 64.
    pub pending_max: usize,
    /// Handshakes with unproven addresses begun a second. Default 500.
    pub unproven_per_s: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { pending_max: 64, unproven_per_s: 500 }
    }
}

/// Handshakes from one address range (/24 of IPv4, /64 of IPv6). Loopback is exempt: its addresses
/// cannot be forged from outside, and swarms come from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixLimit {
    /// Handshakes at once. Default 256: a LAN party behind one NAT.
    pub burst: u32,
    /// Handshakes a second in the long run. Default 32.
    pub per_s: u32,
}

impl Default for PrefixLimit {
    fn default() -> Self {
        Self { burst: 256, per_s: 32 }
    }
}

/// What becomes of a first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Retry,
    Refuse,
}

/// Ranges remembered at once. Beyond, newcomers of new ranges share one bucket.
const RANGES_MAX: usize = 4_096;

pub(crate) struct Admission {
    retry: RetryPolicy,
    limit: PrefixLimit,
    unproven: Bucket,
    ranges: HashMap<IpAddr, Range>,
    overflow: Range,
    swept_at: Instant,
}

#[derive(Clone, Copy)]
struct Range {
    unproven: Bucket,
    proven: Bucket,
}

impl Admission {
    pub(crate) fn new(retry: RetryPolicy, limit: PrefixLimit, now: Instant) -> Self {
        let bucket = Bucket::full(limit.burst, limit.per_s, now);
        Self {
            retry,
            limit,
            unproven: Bucket::full(retry.unproven_per_s, retry.unproven_per_s, now),
            ranges: HashMap::new(),
            overflow: Range { unproven: bucket, proven: bucket },
            swept_at: now,
        }
    }

    /// Judges a newcomer while `pending` handshakes with unproven addresses are unfinished.
    pub(crate) fn judge(
        &mut self,
        now: Instant,
        from: SocketAddr,
        proven: bool,
        pending: usize,
    ) -> Verdict {
        let exempt = from.ip().is_loopback();
        if proven {
            return match exempt || self.range(now, from.ip()).proven.take(now) {
                true => Verdict::Accept,
                false => Verdict::Refuse,
            };
        }
        let calm = pending < self.retry.pending_max && self.unproven.take(now);
        match calm && (exempt || self.range(now, from.ip()).unproven.take(now)) {
            true => Verdict::Accept,
            false => Verdict::Retry,
        }
    }

    fn range(&mut self, now: Instant, ip: IpAddr) -> &mut Range {
        let range = range_of(ip);
        // Sweeping costs a pass over all ranges; once a second bounds it under a flood of ranges.
        if self.ranges.len() >= RANGES_MAX && now >= self.swept_at + Duration::from_secs(1) {
            self.swept_at = now;
            self.ranges.retain(|_, r| !(r.unproven.is_full(now) && r.proven.is_full(now)));
        }
        if self.ranges.len() >= RANGES_MAX && !self.ranges.contains_key(&range) {
            return &mut self.overflow;
        }
        let fresh = Bucket::full(self.limit.burst, self.limit.per_s, now);
        self.ranges.entry(range).or_insert(Range { unproven: fresh, proven: fresh })
    }
}

fn range_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

/// A token bucket in thousandths of a token.
#[derive(Clone, Copy)]
struct Bucket {
    milli: u64,
    burst: u32,
    per_s: u32,
    at: Instant,
}

impl Bucket {
    fn full(burst: u32, per_s: u32, now: Instant) -> Self {
        Self { milli: u64::from(burst) * 1_000, burst, per_s, at: now }
    }

    fn refill(&mut self, now: Instant) {
        let elapsed_ms = now.saturating_duration_since(self.at).as_millis();
        let elapsed_ms = u64::try_from(elapsed_ms).unwrap_or(u64::MAX);
        if elapsed_ms > 0 {
            let gain = elapsed_ms.saturating_mul(u64::from(self.per_s));
            self.milli = self.milli.saturating_add(gain).min(u64::from(self.burst) * 1_000);
            self.at = now;
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let taken = self.milli >= 1_000;
        if taken {
            self.milli -= 1_000;
        }
        taken
    }

    fn is_full(mut self, now: Instant) -> bool {
        self.refill(now);
        self.milli == u64::from(self.burst) * 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(now: Instant) -> Admission {
        let retry = RetryPolicy { pending_max: 4, unproven_per_s: 1_000_000 };
        Admission::new(retry, PrefixLimit { burst: 3, per_s: 1 }, now)
    }

    fn peer(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 4_433)
    }

    #[test]
    fn many_pending_handshakes_make_newcomers_prove_their_address() {
        let now = Instant::now();
        let mut admission = admission(now);
        assert_eq!(admission.judge(now, peer("192.0.2.1"), false, 3), Verdict::Accept);
        assert_eq!(admission.judge(now, peer("192.0.2.1"), false, 4), Verdict::Retry);
        assert_eq!(admission.judge(now, peer("192.0.2.1"), true, 4), Verdict::Accept);
    }

    #[test]
    fn a_range_shares_a_bucket_that_refills() {
        let now = Instant::now();
        let mut admission = admission(now);
        for (low, high) in [("192.0.2.1", "192.0.2.200"), ("2001:db8::1", "2001:db8::ffff:1")] {
            for _ in 0..3 {
                assert_eq!(admission.judge(now, peer(low), true, 0), Verdict::Accept);
            }
            assert_eq!(admission.judge(now, peer(high), true, 0), Verdict::Refuse);
            let later = now + Duration::from_secs(1);
            assert_eq!(admission.judge(later, peer(high), true, 0), Verdict::Accept);
            assert_eq!(admission.judge(later, peer(high), true, 0), Verdict::Refuse);
        }
        assert_eq!(admission.judge(now, peer("192.0.3.1"), true, 0), Verdict::Accept);
    }

    #[test]
    fn forged_addresses_cannot_shut_a_range_out() {
        let now = Instant::now();
        let mut admission = admission(now);
        for _ in 0..100 {
            admission.judge(now, peer("192.0.2.66"), false, 0);
        }
        assert_eq!(admission.judge(now, peer("192.0.2.7"), false, 0), Verdict::Retry);
        assert_eq!(admission.judge(now, peer("192.0.2.7"), true, 0), Verdict::Accept);
    }

    #[test]
    fn loopback_has_no_range_limit() {
        let now = Instant::now();
        let mut admission = admission(now);
        for _ in 0..100 {
            assert_eq!(admission.judge(now, peer("127.0.0.1"), false, 0), Verdict::Accept);
            assert_eq!(admission.judge(now, peer("::1"), true, 0), Verdict::Accept);
        }
    }

    #[test]
    fn a_flood_of_ranges_holds_bounded_memory() {
        let now = Instant::now();
        let mut admission = admission(now);
        for k in 0..200_000_u32 {
            let ip = IpAddr::V4((k << 8).into());
            admission.judge(
                now + Duration::from_millis(u64::from(k)),
                SocketAddr::new(ip, 1),
                true,
                0,
            );
        }
        assert!(admission.ranges.len() <= RANGES_MAX);
    }
}
