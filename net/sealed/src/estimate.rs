//! Loss and round-trip time of the packets sent, from the peer's reports.

use std::time::Duration;

use crate::fields::Report;
use crate::window::WINDOW_PACKETS;

const RING: usize = WINDOW_PACKETS as usize;

/// What the reports say about the path. A peer that lies spoils its own budget and nothing else:
/// reports that cannot be true are ignored, and loss never falls.
pub(crate) struct Estimate {
    /// When each of the last 1,024 packets was sealed, in milliseconds of the lane's clock.
    sealed_at_ms: Box<[u32; RING]>,
    latest: Option<Report>,
    lost: u32,
    smoothed_us: Option<u32>,
}

impl Estimate {
    pub(crate) fn new() -> Self {
        Self { sealed_at_ms: Box::new([0; RING]), latest: None, lost: 0, smoothed_us: None }
    }

    pub(crate) fn on_sealed(&mut self, now_ms: u32, number: u32) {
        self.sealed_at_ms[number as usize % RING] = now_ms;
    }

    /// Takes a report up, when it is possible and newer than the ones before. `next_number` is
    /// the number that the next packet will get.
    pub(crate) fn on_report(&mut self, now_ms: u32, next_number: u32, report: Report) {
        let possible = report.highest < next_number
            && report.received > 0
            && report.received - 1 <= report.highest;
        let newer = self.latest.is_none_or(|latest| {
            report.highest > latest.highest && report.received >= latest.received
        });
        if !possible || !newer {
            return;
        }
        self.latest = Some(report);
        self.lost = self.lost.max(report.highest - (report.received - 1));
        let remembered = next_number - report.highest <= WINDOW_PACKETS;
        if remembered && report.delay_ms < u16::MAX {
            let sealed_at = self.sealed_at_ms[report.highest as usize % RING];
            let passed = now_ms.wrapping_sub(sealed_at);
            self.smooth(passed.saturating_sub(u32::from(report.delay_ms)));
        }
    }

    /// The moving mean of RFC 6298: an eighth of every new sample.
    fn smooth(&mut self, sample_ms: u32) {
        // A minute is no round trip; the bound keeps the sums small.
        let sample_us = sample_ms.min(60_000) * 1000;
        self.smoothed_us = Some(match self.smoothed_us {
            None => sample_us,
            Some(smoothed) => smoothed - smoothed / 8 + sample_us / 8,
        });
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.smoothed_us.map(|us| Duration::from_micros(u64::from(us)))
    }

    pub(crate) fn lost(&self) -> u64 {
        u64::from(self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(highest: u32, received: u32, delay_ms: u16) -> Report {
        Report { highest, received, delay_ms }
    }

    #[test]
    fn the_round_trip_is_what_passed_without_the_peers_delay() {
        let mut estimate = Estimate::new();
        estimate.on_sealed(1000, 7);
        estimate.on_report(1055, 8, report(7, 8, 15));
        assert_eq!(estimate.rtt(), Some(Duration::from_millis(40)));
        // The peer claims to have waited longer than it can have.
        estimate.on_sealed(2000, 8);
        estimate.on_report(2010, 9, report(8, 9, 500));
        assert_eq!(estimate.rtt(), Some(Duration::from_millis(35)));
    }

    #[test]
    fn loss_counts_the_numbers_that_did_not_come_and_never_falls() {
        let mut estimate = Estimate::new();
        estimate.on_report(0, 100, report(9, 10, 0));
        assert_eq!(estimate.lost(), 0);
        estimate.on_report(0, 100, report(19, 15, 0));
        assert_eq!(estimate.lost(), 5);
        // Two of them were only late.
        estimate.on_report(0, 100, report(29, 27, 0));
        assert_eq!(estimate.lost(), 5);
    }

    #[test]
    fn impossible_and_old_reports_are_ignored() {
        let mut estimate = Estimate::new();
        for lie in [report(100, 1, 0), report(9, 11, 0), report(9, 0, 0), report(u32::MAX, 0, 0)] {
            estimate.on_report(0, 100, lie);
        }
        assert_eq!((estimate.lost(), estimate.rtt()), (0, None));
        estimate.on_report(0, 100, report(50, 40, 0));
        estimate.on_report(0, 100, report(40, 1, 0));
        assert_eq!(estimate.lost(), 11);
    }
}
