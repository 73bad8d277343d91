//! What a link promises, for any configuration and seed.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sortie_link_sim::{Burst, Counters, Link, LinkConfig, Probability};

/// Sends `count` packets a millisecond apart and returns what arrives, with its time since start.
fn run(config: LinkConfig, seed: u64, count: u32) -> (Vec<(Duration, u32)>, Counters) {
    let start = Instant::now();
    let mut link = Link::new(config, seed);
    let mut arrived = Vec::new();
    let mut collect = |link: &mut Link<u32>, until: Instant| {
        while let Some(at) = link.next_at().filter(|&at| at <= until) {
            assert_eq!(link.in_flight() > 0, link.next_at().is_some());
            arrived.push((at - start, link.poll(at).expect("a packet is due")));
        }
    };
    for k in 0..count {
        let now = start + Duration::from_millis(u64::from(k));
        collect(&mut link, now);
        link.push(now, k, 100);
    }
    collect(&mut link, start + Duration::from_secs(86_400));
    (arrived, link.counters())
}

fn any_config() -> impl Strategy<Value = LinkConfig> {
    let chance = || (0_u32..300_000).prop_map(Probability::millionths);
    let burst = proptest::option::of(
        (chance(), chance())
            .prop_map(|(begin, end)| Burst { begin, end: end.max(Probability::percent(5)) }),
    );
    let rate = proptest::option::of(10_000_u64..1_000_000);
    (0_u64..200, 0_u64..50, any::<bool>(), chance(), burst, chance(), chance(), rate).prop_map(
        |(delay, jitter, jitter_reorders, loss, burst_loss, reorder, duplicate, rate)| LinkConfig {
            delay: Duration::from_millis(delay),
            jitter: Duration::from_millis(jitter),
            jitter_reorders,
            loss,
            burst_loss,
            reorder,
            duplicate,
            rate_limit_bytes_per_s: rate,
            queue_bytes_max: 5_000,
        },
    )
}

proptest! {
    #[test]
    fn nothing_appears_and_nothing_vanishes_uncounted(config in any_config(), seed: u64) {
        let (arrived, counters) = run(config, seed, 300);
        prop_assert_eq!(counters.pushed, 300);
        prop_assert_eq!(counters.delivered as usize, arrived.len());
        prop_assert_eq!(
            counters.pushed + counters.duplicated,
            counters.delivered + counters.lost + counters.dropped
        );
        let mut copies = [0_u8; 300];
        for (at, k) in &arrived {
            copies[*k as usize] += 1;
            prop_assert!(*at >= Duration::from_millis(u64::from(*k)), "arrived before it was sent");
        }
        let most = if config.duplicate > Probability::ZERO { 2 } else { 1 };
        prop_assert!(copies.iter().all(|&n| n <= most));
        prop_assert!(arrived.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn one_seed_is_one_network(config in any_config(), seed: u64) {
        prop_assert_eq!(run(config, seed, 200), run(config, seed, 200));
    }

    #[test]
    fn order_holds_unless_an_option_breaks_it(config in any_config(), seed: u64) {
        let config = LinkConfig { reorder: Probability::ZERO, jitter_reorders: false, ..config };
        let (arrived, _) = run(config, seed, 300);
        prop_assert!(arrived.is_sorted_by_key(|(_, k)| *k));
    }
}

#[test]
fn loss_is_near_what_was_asked() {
    for percent in [1, 5, 20] {
        let config = LinkConfig { loss: Probability::percent(percent), ..LinkConfig::default() };
        let (_, counters) = run(config, 0xc0ffee, 100_000);
        let lost = counters.lost as f64 / 100_000.0;
        let asked = f64::from(percent) / 100.0;
        assert!((lost - asked).abs() < 0.005, "{percent} %: lost {lost}");
    }
}

#[test]
fn bursts_are_as_long_and_as_frequent_as_asked() {
    let burst = Burst { begin: Probability::percent(1), end: Probability::percent(25) };
    let config = LinkConfig { burst_loss: Some(burst), ..LinkConfig::default() };
    let (arrived, counters) = run(config, 7, 100_000);
    let gaps = arrived.windows(2).filter(|pair| pair[1].1 != pair[0].1 + 1).count() as f64;
    let mean_length = counters.lost as f64 / gaps;
    assert!((3.6..4.5).contains(&mean_length), "{mean_length}");
    assert!((850.0..1_150.0).contains(&gaps), "{gaps}");
}

#[test]
fn jitter_reorders_only_when_told_to() {
    let jitter = LinkConfig { jitter: Duration::from_millis(20), ..LinkConfig::default() };
    let (queued, _) = run(jitter, 3, 1_000);
    assert!(queued.is_sorted_by_key(|(_, k)| *k));
    let (overtaking, _) = run(LinkConfig { jitter_reorders: true, ..jitter }, 3, 1_000);
    assert!(!overtaking.is_sorted_by_key(|(_, k)| *k));
}

#[test]
fn the_rate_limit_spaces_packets_and_drops_what_does_not_fit() {
    let config = LinkConfig {
        rate_limit_bytes_per_s: Some(50_000),
        queue_bytes_max: 1_000,
        ..LinkConfig::default()
    };
    // 100 bytes a millisecond into a link that needs two milliseconds for them.
    let (arrived, counters) = run(config, 1, 1_000);
    assert!(arrived.windows(2).all(|pair| pair[1].0 - pair[0].0 >= Duration::from_millis(2)));
    assert!((480..=520).contains(&counters.dropped), "{counters:?}");
    let waited = arrived.iter().map(|(at, k)| *at - Duration::from_millis(u64::from(*k))).max();
    assert!(waited <= Some(Duration::from_millis(20)), "the queue is 1,000 bytes: {waited:?}");
}
