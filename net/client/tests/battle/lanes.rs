//! The sealed lane beside QUIC: what blocks it, who abuses it, and what a move costs.

use std::{net::SocketAddr, time::Duration};

use sortie_client::{Event, LanePolicy, State};
use sortie_link_sim::{LinkConfig, Probability};
use sortie_sim::config::{Mode, SimConfig};
use sortie_wire::message::LoadStep;

use crate::common::Net;

const MS: Duration = Duration::from_millis(1);

fn net(loss_per_cent: u32, lane: LanePolicy) -> Net {
    net_on(LinkConfig::lossy(20 * MS, 10 * MS, Probability::percent(loss_per_cent)), None, lane)
}

fn net_on(link: LinkConfig, rebind_every: Option<Duration>, lane: LanePolicy) -> Net {
    let config = SimConfig { mode: Mode::Walk, ..SimConfig::default() };
    let mut net = Net::new(config, 120.0, link, rebind_every, lane);
    (1..=3).for_each(|key| net.join(key));
    net
}

/// Runs for so many times 16 ms; gives the longest time, counted alike, that the first client was
/// without a snapshot.
fn longest_gap(net: &mut Net, ticks: u32) -> u32 {
    longest_gaps(net, ticks).0
}

/// The same, and the longest time without a message.
fn longest_gaps(net: &mut Net, ticks: u32) -> (u32, u32) {
    let seen = |net: &Net| {
        let messages = net.seats[0].events.iter();
        let messages = messages.filter(|event| matches!(event, Event::Message(_))).count();
        [net.seats[0].client.stats().session.snapshots, messages as u64]
    };
    let (mut gaps, mut longest, mut before) = ([0; 2], [0; 2], seen(net));
    for _ in 0..ticks {
        net.run(16 * MS);
        let now = seen(net);
        for kind in 0..2 {
            gaps[kind] = if now[kind] == before[kind] { gaps[kind] + 1 } else { 0 };
            longest[kind] = longest[kind].max(gaps[kind]);
        }
        before = now;
    }
    longest.into()
}

#[test]
fn a_path_that_never_lets_sealed_packets_through_costs_nothing() {
    for blocks in [(true, false), (false, true), (true, true)] {
        let mut net = net(0, LanePolicy::Auto);
        net.seats[0].blocks = blocks;
        net.run(Duration::from_secs(1));
        assert!(longest_gap(&mut net, 300) <= 3, "{blocks:?}");
        let stats = net.seats[0].client.stats();
        assert_eq!((stats.lane.fallbacks, stats.resumes), (1, 0), "{blocks:?}");
        assert!(!stats.lane.is_sealed && stats.lane.inputs_sealed == 0);
        assert!(net.seats[1].client.stats().lane.is_sealed, "only the first one's path is bad");
    }
}

#[test]
fn a_lane_that_fails_gives_way_to_quic_and_is_tried_again() {
    for blocks in [(true, false), (false, true), (true, true)] {
        let mut net = net(2, LanePolicy::Auto);
        net.run(Duration::from_secs(3));
        net.assert_all_playing();
        net.seats[0].blocks = blocks;
        // The silence of two seconds, and a few ticks to turn round. When the server hears nothing,
        // it turns to QUIC by itself after half a second.
        let is_up_only = blocks == (true, false);
        let early = longest_gap(&mut net, if is_up_only { 90 } else { 0 });
        let is_sealed = net.seats[0].client.stats().lane.is_sealed;
        assert_eq!(is_sealed, !is_up_only, "it is told before the silence is over");
        let gap = early.max(longest_gap(&mut net, 240));
        let expected = if blocks.0 { 0..=40 } else { 120..=140 };
        assert!(expected.contains(&gap), "{blocks:?}: {gap} ticks");
        let stats = net.seats[0].client.stats();
        assert_eq!((stats.lane.is_sealed, stats.lane.fallbacks), (false, 1), "{blocks:?}");
        net.seats[0].blocks = (false, false);
        assert!(longest_gap(&mut net, 33 * 63) <= 12, "{blocks:?}");
        let stats = net.seats[0].client.stats();
        assert_eq!((stats.lane.is_sealed, stats.lane.fallbacks), (true, 1), "{blocks:?}");
        assert_eq!((stats.resumes, net.host.peers_lost), (0, 0), "the connection stayed");
    }
}

#[test]
fn a_client_that_was_told_so_never_falls_back() {
    let mut net = net(0, LanePolicy::Sealed);
    net.run(Duration::from_secs(2));
    net.assert_all_playing();
    assert_eq!(net.seats[0].client.stats().lane.inputs_quic, 0);
    net.seats[0].blocks = (false, true);
    net.run(Duration::from_secs(3));
    assert!(net.seats[0].events.contains(&Event::Lost));
    net.seats[0].blocks = (false, false);
    net.run(Duration::from_secs(3));
    net.assert_all_playing();
    let stats = net.seats[0].client.stats();
    assert_eq!((stats.lane.inputs_quic, stats.lane.fallbacks), (0, 0));
}

#[test]
fn strangers_and_replayed_packets_change_nothing_and_are_told_nothing() {
    let mut net = net(0, LanePolicy::Auto);
    net.overheard = Some(Vec::new());
    net.run(Duration::from_secs(2));
    let overheard = net.overheard.take().unwrap();
    // All of them have arrived.
    net.run(100 * MS);
    assert!(overheard.len() > 200, "{}", overheard.len());
    let before = net.host.lanes.counters();
    let stranger: SocketAddr = "203.0.113.99:666".parse().unwrap();
    let mut handed_in = 0;
    for (at, packet) in overheard.iter().enumerate() {
        // As it was; with one bit turned; cut; and of the version after this one.
        let mut forged = packet.clone();
        forged[at % packet.len()] ^= 1 << (at % 8);
        forged[0] &= 0x3f;
        let (mut copy, mut cut) = (packet.clone(), packet[..packet.len() - 1].to_vec());
        let mut other = packet.clone();
        other[0] += 0x10;
        for packet in [&mut copy, &mut forged, &mut cut, &mut other] {
            net.host.handle_datagram(net.now, stranger, packet);
            handed_in += 1;
        }
    }
    let after = net.host.lanes.counters();
    assert_eq!(after.refused, before.refused + handed_in);
    assert_eq!((after.moves, net.host.peers_lost), (0, 0));
    assert!(longest_gap(&mut net, 120) <= 3);
    assert_eq!(net.astray, 0, "a stranger was answered");
    net.assert_all_playing();
}

#[test]
fn a_copy_that_is_faster_from_another_address_is_a_short_detour() {
    let mut net = net(0, LanePolicy::Auto);
    net.run(Duration::from_secs(2));
    let stranger: SocketAddr = "203.0.113.99:666".parse().unwrap();
    // The attacker holds the original back until its copy has arrived.
    net.seats[0].blocks = (true, false);
    net.overheard = Some(Vec::new());
    net.run(20 * MS);
    let mut copies = net.overheard.take().unwrap();
    net.seats[0].blocks = (false, false);
    for copy in &mut copies {
        net.host.handle_datagram(net.now, stranger, copy);
    }
    let gap = longest_gap(&mut net, 120);
    assert!(gap <= 22, "{gap} ticks");
    assert!((1..30).contains(&net.astray), "{} packets", net.astray);
    assert_eq!(net.seats[0].client.stats().resumes, 0);
    net.assert_all_playing();
}

#[test]
fn a_move_costs_half_a_round_trip_and_takes_quic_along() {
    let link = LinkConfig::lossy(60 * MS, 10 * MS, Probability::percent(0));
    let mut net = net_on(link, Some(Duration::from_secs(4)), LanePolicy::Auto);
    net.run(Duration::from_secs(2));
    let (snapshot, message) = longest_gaps(&mut net, 30 * 62);
    // What was on its way to the old address, and then smaller snapshots until the new one is
    // proven. The round is told once a second.
    assert!(snapshot <= 13, "{snapshot} times 16 ms");
    assert!(message <= 110, "{message} times 16 ms");
    assert!(net.seats.iter().all(|seat| seat.nat.rebinds() >= 6));
    assert!(net.host.lanes.counters().moves >= 3 * 6);
    let stats = net.seats[0].client.stats();
    assert_eq!((stats.resumes, stats.lane.fallbacks), (0, 0));
    assert_eq!(net.seats[0].client.state(), State::Playing);
}

/// Three clients in the battle, sealed; what the lanes of all of them have left by now.
fn settled(link: LinkConfig) -> (Net, Vec<(u64, u64)>) {
    let mut net = net_on(link, None, LanePolicy::Auto);
    let is_settled = |net: &Net| net.seats.iter().all(|seat| seat.client.stats().lane.is_sealed);
    for _ in 0..20 {
        net.run(Duration::from_secs(1));
        if is_settled(&net) {
            break;
        }
    }
    net.assert_all_playing();
    // What was on its way over QUIC has arrived.
    net.run(Duration::from_secs(1));
    let left = left(&net);
    (net, left)
}

/// Times that the lane was left, and snapshots that came over the dear one, for every client.
fn left(net: &Net) -> Vec<(u64, u64)> {
    let lane = |seat: &crate::common::Seat| seat.client.stats().lane;
    net.seats.iter().map(|seat| (lane(seat).fallbacks, lane(seat).snapshots_quic)).collect()
}

#[test]
fn a_server_that_is_late_is_no_reason_to_leave_the_lane() {
    for (delay, stall) in [(5, 300), (5, 700), (20, 1_200), (5, 1_950), (90, 1_700)] {
        let (mut net, before) =
            settled(LinkConfig::lossy(delay * MS, 5 * MS, Probability::percent(0)));
        for _ in 0..6 {
            net.host_stands_until = net.now + stall * MS;
            net.run((stall + 400) * MS);
        }
        net.run(Duration::from_secs(1));
        assert_eq!(left(&net), before, "{delay} ms, {stall} ms");
        assert_eq!(net.host.peers_lost, 0);
        net.assert_all_playing();
    }
}

#[test]
fn a_client_that_was_late_itself_does_not_blame_the_lane() {
    for (delay, stall) in [(5, 300), (5, 700), (20, 1_200), (90, 1_950), (5, 3_000)] {
        let (mut net, before) =
            settled(LinkConfig::lossy(delay * MS, 5 * MS, Probability::percent(0)));
        for _ in 0..6 {
            net.seats[0].stands_until = net.now + stall * MS;
            net.run((stall + 400) * MS);
        }
        net.run(Duration::from_secs(1));
        assert_eq!(left(&net), before, "{delay} ms, {stall} ms");
        assert_eq!((net.host.peers_lost, net.seats[0].client.stats().resumes), (0, 0));
        net.assert_all_playing();
    }
}

/// Both ends stand still at random times, for up to 1.9 s, over paths with delay, jitter and loss:
/// everybody stays on the sealed lane. `SORTIE_CASES` says how many schedules.
#[test]
fn no_schedule_of_stalls_drives_anybody_off_the_lane() {
    let cases = std::env::var("SORTIE_CASES").ok().and_then(|text| text.parse().ok());
    let mut rng = crate::common::seed() | 1;
    let mut draw = |below: u64| {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        (rng >> 16) % below
    };
    for case in 0..cases.unwrap_or(3_u32) {
        let (delay, jitter, loss) = (draw(120) as u32, draw(60) as u32, draw(20) as u32);
        let link = LinkConfig::lossy(delay * MS, jitter * MS, Probability::percent(loss));
        let (mut net, before) = settled(link);
        for _ in 0..10 {
            let stall = Duration::from_millis(draw(1_900));
            // Two seconds without a sign of the server are the end of a connection.
            let has_rested = net.now >= net.host_stands_until + 500 * MS;
            match draw(4) {
                0 if has_rested => net.host_stands_until = net.now + stall,
                by => net.seats[by.max(1) as usize - 1].stands_until = net.now + stall,
            }
            net.run(stall / 2 + Duration::from_millis(draw(1_200)));
        }
        net.run(Duration::from_secs(3));
        assert_eq!(left(&net), before, "case {case}: {delay} ms, {jitter} ms, {loss} % of loss");
        net.assert_all_playing();
    }
}

/// What the server sends in ten seconds: datagrams of both lanes, snapshots, states in them.
fn price(net: &mut Net, load: LoadStep) -> [u64; 4] {
    net.host.load = load;
    net.run(Duration::from_secs(2));
    let count = |net: &Net| {
        let sessions = || net.host.players.iter().map(|player| player.session.counters());
        [
            net.seats.iter().map(|seat| seat.down.counters().pushed).sum::<u64>(),
            sessions().map(|session| session.snapshot_bytes).sum(),
            sessions().map(|session| session.snapshots).sum(),
            sessions().map(|session| session.updates).sum(),
        ]
    };
    let before = count(net);
    net.run(Duration::from_secs(10));
    let after = count(net);
    std::array::from_fn(|at| after[at] - before[at])
}

#[test]
fn no_step_of_the_overload_ladder_costs_more_than_it_saves() {
    let config = SimConfig { mode: Mode::Walk, ..SimConfig::default() };
    let link = LinkConfig::lossy(20 * MS, 10 * MS, Probability::percent(2));
    let mut net = Net::new(config, 400.0, link, None, LanePolicy::Auto);
    (1..=24).for_each(|key| net.join(key));
    net.run(Duration::from_secs(3));
    net.assert_all_playing();
    let before = left(&net);
    let mut dearer = price(&mut net, LoadStep::Normal);
    for step in [LoadStep::ThinFar, LoadStep::HalfRate, LoadStep::NoJoins] {
        let cheaper = price(&mut net, step);
        // Soldiers walk about, which is worth a few in a hundred.
        let saves = |at: usize| cheaper[at] <= dearer[at] + dearer[at] / 25;
        assert!((0..4).all(saves), "{step:?}: {dearer:?}, then {cheaper:?}");
        dearer = cheaper;
    }
    assert_eq!(left(&net), before, "half the snapshots are no silence");
}
