//! Eight clients in a battle over bad networks: everybody plays, prediction holds, nobody is lost.

use std::time::Duration;

use crate::{
    common::{Net, bad_link},
    on_both_lanes,
};
use sortie_client::{Corrections, Event, LanePolicy, State};
use sortie_link_sim::LinkConfig;
use sortie_sim::config::{Mode, SimConfig};

on_both_lanes! {
    on_a_perfect_wire_prediction_is_exact,
    under_loss_delay_and_jitter_prediction_holds,
    in_a_crowd_neighbours_are_predicted_too,
    address_changes_and_blackouts_lose_nobody,
    the_newer_connection_of_a_player_replaces_the_older,
    a_restarted_server_gets_its_clients_back_to_the_same_soldiers,
}

fn walk() -> SimConfig {
    SimConfig { mode: Mode::Walk, ..SimConfig::default() }
}

fn net(link: LinkConfig, rebind_every: Option<Duration>, lane: LanePolicy) -> Net {
    let mut net = Net::new(walk(), 120.0, link, rebind_every, lane);
    (1..=8).for_each(|key| net.join(key));
    net
}

fn corrections(net: &Net) -> Corrections {
    let mut sum = Corrections::default();
    net.seats.iter().for_each(|seat| sum.merge(seat.client.corrections()));
    sum
}

fn on_a_perfect_wire_prediction_is_exact(lane: LanePolicy) {
    let mut net = net(LinkConfig::default(), None, lane);
    net.run(Duration::from_secs(10));
    net.assert_all_playing();
    let corrections = corrections(&net);
    println!("{corrections:?}");
    assert!(corrections.count() > 8 * 500);
    assert!(corrections.quantile_m(0.99) <= 0.02);
}

fn under_loss_delay_and_jitter_prediction_holds(lane: LanePolicy) {
    let mut net = net(bad_link(), None, lane);
    net.run(Duration::from_secs(30));
    net.assert_all_playing();
    let corrections = corrections(&net);
    println!("{corrections:?}");
    for seat in &net.seats {
        let stats = seat.client.stats();
        println!("{stats:?}");
        assert_eq!(stats.resumes, 0);
    }
    assert!(corrections.count() > 8 * 1_200);
    assert!(corrections.quantile_m(0.99) <= 0.10, "{corrections:?}");
}

fn in_a_crowd_neighbours_are_predicted_too(lane: LanePolicy) {
    let mut net = Net::new(walk(), 8.0, bad_link(), None, lane);
    (1..=8).for_each(|key| net.join(key));
    net.run(Duration::from_secs(30));
    net.assert_all_playing();
    let corrections = corrections(&net);
    println!("{corrections:?}");
    assert!(corrections.quantile_m(0.99) <= 0.10, "{corrections:?}");
}

fn address_changes_and_blackouts_lose_nobody(lane: LanePolicy) {
    let mut net = net(bad_link(), Some(Duration::from_secs(7)), lane);
    net.run(Duration::from_secs(10));
    let slots: Vec<u16> = net.seats.iter().map(|seat| seat.client.view().slot).collect();
    net.seats[2].muted = true;
    net.run(Duration::from_secs(5));
    assert_eq!(net.seats[2].client.state(), State::Resuming);
    net.seats[2].muted = false;
    let now = net.now;
    net.seats[5].client.reconnect(now);
    net.run(Duration::from_secs(10));
    net.assert_all_playing();
    let slots_after: Vec<u16> = net.seats.iter().map(|seat| seat.client.view().slot).collect();
    assert_eq!(slots, slots_after, "the same soldiers");
    assert!(net.seats[2].client.stats().resumes == 1);
    assert!(net.seats[5].client.stats().resumes == 1);
    assert!(net.seats.iter().all(|seat| seat.nat.rebinds() >= 3));
    let corrections = corrections(&net);
    println!("{corrections:?}");
    assert!(corrections.quantile_m(0.99) <= 0.10, "{corrections:?}");
}

fn the_newer_connection_of_a_player_replaces_the_older(lane: LanePolicy) {
    let mut net = net(LinkConfig::default(), None, lane);
    net.run(Duration::from_secs(2));
    net.join(3);
    net.run(Duration::from_secs(2));
    let older = net.seats[2].client.state();
    assert!(matches!(older, State::Closed { code: Some(10), .. }), "{older:?}");
    assert_eq!(net.seats[8].client.state(), State::Playing);
    assert_eq!(net.seats[8].client.view().slot, net.seats[2].client.view().slot);
    assert!(net.seats[2].events.contains(&Event::Closed));
    assert_eq!(net.host.replaced, 1);
}

fn a_restarted_server_gets_its_clients_back_to_the_same_soldiers(lane: LanePolicy) {
    let calm = LinkConfig { delay: Duration::from_millis(50), ..LinkConfig::default() };
    let resume_max = restart(calm, lane);
    assert!(resume_max < Duration::from_millis(700), "{resume_max:?}");
    // Each lost packet of a handshake costs a timeout.
    let resume_max = restart(bad_link(), lane);
    assert!(resume_max < Duration::from_millis(3_500), "{resume_max:?}");
}

/// Kills and restarts the server of eight clients; gives the longest way back.
fn restart(link: LinkConfig, lane: LanePolicy) -> Duration {
    let mut net = net(link, None, lane);
    net.run(Duration::from_secs(5));
    let slots: Vec<u16> = net.seats.iter().map(|seat| seat.client.view().slot).collect();
    let now = net.now;
    net.host.restart(now);
    net.run(Duration::from_secs(5));
    net.assert_all_playing();
    let slots_after: Vec<u16> = net.seats.iter().map(|seat| seat.client.view().slot).collect();
    assert_eq!(slots, slots_after);
    let back = Event::Welcomed { resumed: true, restarted: true };
    for seat in &net.seats {
        assert!(seat.events.contains(&back));
    }
    let corrections = corrections(&net);
    println!("{corrections:?}");
    assert!(corrections.quantile_m(0.99) <= 0.10, "{corrections:?}");
    net.seats.iter().map(|seat| seat.client.stats().resume_max).max().unwrap_or_default()
}
