//! A way that was dead for seconds: control is back soon after it is good again, though packets
//! get lost on it.

use std::time::Duration;

use crate::common::{Net, seed};
use crate::on_both_lanes;
use sortie_client::{LanePolicy, State};
use sortie_link_sim::{LinkConfig, Probability};
use sortie_sim::config::{Mode, SimConfig};

on_both_lanes! { control_is_back_soon_after_a_dead_way }

const MS: Duration = Duration::from_millis(1);
const PLAYERS: u128 = 8;

/// A path that was good for a second is usable, and two seconds later everybody has control.
const LAST_WITHIN: Duration = Duration::from_secs(3);

/// Nearly everybody has it sooner: a handshake that lost a packet or two.
const MOST_WITHIN: Duration = Duration::from_millis(1_700);

/// So many per cent of the packets are lost, each way: the most on a usable path.
const LOSS_PERCENT: u32 = 5;

fn control_is_back_soon_after_a_dead_way(lane: LanePolicy) {
    let cases = std::env::var("SORTIE_CASES").ok().and_then(|text| text.parse().ok());
    let (cases, first): (u64, u64) = (cases.unwrap_or(4), seed());
    let mut waits: Vec<_> = (first..first + cases).flat_map(|seed| play(seed, lane)).collect();
    waits.sort_unstable();
    let at = |share: f64| waits[(waits.len() as f64 * share) as usize];
    let last = waits[waits.len() - 1];
    println!("{} waits: half {:?}, 99 % {:?}, all {last:?}", waits.len(), at(0.5), at(0.99));
    assert!(at(0.99) <= MOST_WITHIN && last <= LAST_WITHIN, "{:?}, {last:?}", at(0.99));
}

/// How long everybody was without control after each of many dead ways.
fn play(seed: u64, lane: LanePolicy) -> Vec<Duration> {
    let link = LinkConfig::lossy(25 * MS, 20 * MS, Probability::percent(LOSS_PERCENT));
    let config = SimConfig { mode: Mode::Walk, ..SimConfig::default() };
    let mut net = Net::with_seed(config, 120.0, link, None, lane, seed);
    (1..=PLAYERS).for_each(|key| net.join(key));
    net.run(3_000 * MS);
    let mut waits = Vec::new();
    // Too short to be noticed, just long enough, and long after.
    for dead_ms in (400..4_400).step_by(200) {
        net.seats.iter_mut().for_each(|seat| seat.muted = true);
        net.run(dead_ms * MS);
        net.seats.iter_mut().for_each(|seat| seat.muted = false);
        let good_since = net.now;
        let mut back = [None; PLAYERS as usize];
        while back.contains(&None) && net.now - good_since < 10_000 * MS {
            net.run(20 * MS);
            let now = net.now;
            for (seat, back) in net.seats.iter().zip(&mut back) {
                let controls = seat.client.without_control(now) < 60 * MS;
                if back.is_none() && controls && seat.client.state() == State::Playing {
                    *back = Some(now - good_since);
                }
            }
        }
        waits.extend(back.map(|back| back.unwrap_or(Duration::MAX)));
        // Acks and round-trip times are those of a connection that has lived for a while.
        net.run(2_000 * MS);
    }
    waits
}
