//! A player keeps control, or gets it back, over either lane, with the real client and everything
//! beneath it. The session's own test has the promise in full and in many more cases; here a
//! second is counted whole when the lane was the same in it.
//!
//! `SORTIE_CASES` sets the number of random cases for each lane, `SIM_SEED` the first seed.

mod fixture;

use std::time::Duration;

use sortie_client::{LanePolicy, State};
use sortie_link_sim::{LinkConfig, Probability, Rng};

use crate::{common::seed, on_both_lanes};
use fixture::{End, Fate, Fixture};

const MS: Duration = Duration::from_millis(1);
/// A path is good for so long before the promise holds: a second to be usable, and two more.
const WITHIN: Duration = Duration::from_secs(3);

on_both_lanes! {
    the_way_up_falls_from_290_to_10_ms,
    at_128_hz_the_way_up_falls_from_150_to_10_ms,
    a_handshake_of_240_ms_and_a_good_path_afterwards,
    the_server_stalls_for_600_ms,
    under_forty_per_cent_loss_nine_ticks_in_ten_are_played,
    whatever_happens_control_is_back_when_the_path_is_usable,
}

fn path(delay_ms: u64, jitter_ms: u64, loss_millionths: u32) -> LinkConfig {
    LinkConfig {
        delay: Duration::from_millis(delay_ms),
        jitter: Duration::from_millis(jitter_ms),
        loss: Probability::millionths(loss_millionths),
        ..LinkConfig::default()
    }
}

fn good() -> LinkConfig {
    path(10, 0, 0)
}

/// What is wrong with the ticks of a usable path, if anything is. Without losses every tick but
/// one in a hundred consumes its own input; a loss costs no more than the inputs after it repair.
fn broken(ticks: &[Fate], hz: u16, loses: bool) -> Option<String> {
    let dropped = ticks.iter().filter(|fate| fate.is_in_time && !fate.is_fresh).count();
    if dropped > 0 {
        return Some(format!("{dropped} inputs arrived in time and were not consumed"));
    }
    ticks.chunks_exact(usize::from(hz)).find_map(|second| {
        let missed = second.iter().filter(|fate| !fate.is_fresh).count();
        let most = if loses { second.len() / 10 + 1 } else { second.len() / 100 };
        (missed > most).then(|| format!("{missed} of {hz} ticks without input"))
    })
}

#[track_caller]
fn check(fixture: &mut Fixture, length: Duration, loses: bool) {
    fixture.run(WITHIN);
    let from = fixture.elapsed();
    fixture.run(length);
    let (hz, ticks) = (fixture.hz(), fixture.ticks(from, fixture.elapsed()));
    let stats = fixture.client.stats();
    if let Some(fault) = broken(&ticks, hz, loses) {
        panic!("{hz} Hz: {fault}; {:?}; {stats:?}", fixture.counters());
    }
}

fn started(hz: u16, lane: LanePolicy, up: LinkConfig, down: LinkConfig) -> Fixture {
    let mut fixture = Fixture::new(hz, lane, seed());
    fixture.set_links(up, down);
    fixture.run_until_playing(10_000 * MS);
    assert_eq!(fixture.client.state(), State::Playing);
    fixture
}

fn after_a_slow_way_up(hz: u16, slow_ms: u64, lane: LanePolicy) {
    let mut fixture = started(hz, lane, path(slow_ms, 0, 0), good());
    check(&mut fixture, 3_000 * MS, false);
    assert_eq!(fixture.lane_is_sealed(), lane != LanePolicy::Quic);
    fixture.set_links(good(), good());
    fixture.run(slow_ms as u32 * MS);
    check(&mut fixture, 4_000 * MS, false);
}

fn the_way_up_falls_from_290_to_10_ms(lane: LanePolicy) {
    after_a_slow_way_up(60, 290, lane);
}

fn at_128_hz_the_way_up_falls_from_150_to_10_ms(lane: LanePolicy) {
    after_a_slow_way_up(128, 150, lane);
}

fn a_handshake_of_240_ms_and_a_good_path_afterwards(lane: LanePolicy) {
    for hz in [20, 60, 128] {
        let mut fixture = Fixture::new(hz, lane, seed());
        fixture.set_links(path(120, 0, 0), path(120, 0, 0));
        fixture.run_until_playing(10_000 * MS);
        fixture.set_links(good(), good());
        fixture.run(120 * MS);
        check(&mut fixture, 4_000 * MS, false);
    }
}

fn the_server_stalls_for_600_ms(lane: LanePolicy) {
    for hz in [20, 60, 128] {
        let mut fixture = started(hz, lane, path(15, 5, 0), path(15, 5, 0));
        fixture.run(3_000 * MS);
        fixture.stop(End::Server, 600 * MS);
        fixture.run(600 * MS);
        check(&mut fixture, 4_000 * MS, false);
        assert_eq!(fixture.client.stats().resumes, 0);
    }
}

fn under_forty_per_cent_loss_nine_ticks_in_ten_are_played(lane: LanePolicy) {
    for hz in [20, 60, 128] {
        let mut fixture = started(hz, lane, path(30, 20, 0), path(30, 20, 0));
        fixture.run(1_000 * MS);
        fixture.set_links(path(30, 20, 400_000), path(30, 20, 400_000));
        fixture.run(WITHIN);
        let from = fixture.elapsed();
        fixture.run(20_000 * MS);
        let ticks = fixture.ticks(from, fixture.elapsed());
        let fresh = ticks.iter().filter(|fate| fate.is_fresh).count();
        let stats = fixture.client.stats();
        let trouble = fixture.client.trouble();
        println!("{hz} Hz: {fresh} of {}; {stats:?}; {trouble:?}", ticks.len());
        assert!(fresh * 10 >= ticks.len() * 9, "{hz} Hz: {fresh} of {}", ticks.len());
    }
}

/// A wild time, perhaps with an end that stops, and then a usable path.
fn play(seed: u64, lane: LanePolicy) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let hz = [20, 60, 128][rng.below(3) as usize];
    let mut fixture = Fixture::new(hz, lane, seed);
    let mut way = |loss: u64, jitter: u64| {
        path(rng.below(250), rng.below(jitter + 1), rng.below(loss + 1) as u32)
    };
    let (first, wild, last) = (
        [way(0, 20), way(0, 20)],
        [way(700_000, 300), way(700_000, 300)],
        [way(20_000, 50), way(20_000, 50)],
    );
    fixture.set_links(first[0], first[1]);
    fixture.run_until_playing(10_000 * MS);
    fixture.run(500 * MS);
    fixture.set_links(wild[0], wild[1]);
    if rng.below(2) == 0 {
        let end = if rng.below(2) == 0 { End::Server } else { End::Client };
        fixture.stop(end, rng.below(1_500) as u32 * MS);
    }
    fixture.run((1_000 + rng.below(2_000)) as u32 * MS);
    fixture.set_links(last[0], last[1]);
    fixture.run(550 * MS);
    // A connection that was lost in the wild time is made anew first.
    fixture.run_until_playing(10_000 * MS);
    let from = fixture.elapsed() + WITHIN;
    fixture.run(WITHIN + 3_000 * MS);
    let ticks = fixture.ticks(from, fixture.elapsed());
    let said =
        |fault| format!("{hz} Hz, {lane}: {fault}; {:?} {wild:?} {last:?}", fixture.counters());
    broken(&ticks, hz, true).map_or(Ok(()), |fault| Err(said(fault)))
}

fn whatever_happens_control_is_back_when_the_path_is_usable(lane: LanePolicy) {
    let cases = std::env::var("SORTIE_CASES").ok().and_then(|text| text.parse().ok());
    let (cases, first): (u64, u64) = (cases.unwrap_or(12), seed());
    let faults = (first..first + cases).filter_map(|seed| {
        play(seed, lane).err().inspect(|fault| println!("SIM_SEED={seed}: {fault}"))
    });
    let faults = faults.count();
    assert_eq!(faults, 0, "{faults} of {cases} cases broke the promise");
}
