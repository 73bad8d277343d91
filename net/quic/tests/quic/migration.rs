//! Clients whose address changes keep their connection.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::fixture::{Fixture, lossy};
use bytes::Bytes;

/// Plays `ticks` ticks at 60 Hz and returns how many snapshots and inputs arrived, and the longest
/// gap between snapshots in ticks.
fn play(fixture: &mut Fixture, player: usize, ticks: u32) -> (usize, usize, u32) {
    let peer = fixture.server.peers().next().expect("a connected peer");
    let (mut longest, mut gap) = (0, 0);
    fixture.players[player].datagrams.clear();
    let mut seen = 0;
    for _ in 0..ticks {
        fixture.server.send_datagram(peer, Bytes::from(vec![1; 389])).unwrap();
        fixture.players[player].client.send_datagram(Bytes::from(vec![2; 40])).unwrap();
        fixture.run(Duration::from_millis(16));
        let now_seen = fixture.players[player].datagrams.len();
        gap = if now_seen == seen { gap + 1 } else { 0 };
        longest = longest.max(gap);
        seen = now_seen;
    }
    (seen, fixture.take_datagrams().len(), longest)
}

#[test]
fn a_nat_rebind_every_five_seconds_keeps_the_connection() {
    let mut fixture = Fixture::new();
    let player = fixture.join_with(lossy(0, 30), Some(Duration::from_secs(5)), |_| {});
    let peer = fixture.wait_for_peer();
    fixture.run_until(Duration::from_secs(1), |w| w.players[player].connected);
    let (down, up, longest) = play(&mut fixture, player, 3_600);
    let rebinds = fixture.players[player].nat.rebinds();
    assert!(rebinds >= 10, "{rebinds}");
    assert!(fixture.take_closed().is_empty());
    assert!(fixture.server.counters().migrations >= rebinds - 1);
    assert_eq!(
        fixture.server.remote(peer),
        Some(fixture.players[player].nat.outbound(fixture.now))
    );
    // Snapshots on the way to the old address are lost, and the new one is unproven for a round
    // trip: at most 300 ms without.
    assert!(longest <= 18, "{longest} ticks without a snapshot");
    assert!(up > 3_590, "inputs are not lost: {up} of 3,600");
    assert!(down > 3_600 - 12 * 18, "{down} of 3,600");
}

#[test]
fn a_move_to_another_network_keeps_the_connection_under_loss() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(5, 40));
    fixture.players[player].client.send_message(b"hello").unwrap();
    play(&mut fixture, player, 120);
    fixture.players[player].nat.move_to("198.51.100.23".parse::<IpAddr>().unwrap());
    fixture.players[player].client.local_address_changed();
    play(&mut fixture, player, 120);
    fixture.server.send_message(peer, b"still here?").unwrap();
    fixture.run(Duration::from_secs(2));
    assert_eq!(fixture.players[player].messages, [&b"still here?"[..]]);
    assert_eq!(fixture.server.remote(peer).unwrap().ip().to_string(), "198.51.100.23");
    assert!(fixture.take_closed().is_empty());
}

#[test]
fn a_connected_client_that_forges_its_address_amplifies_nothing() {
    let mut fixture = Fixture::new();
    let (player, _) = fixture.join_now(lossy(0, 10));
    let mut packet = Vec::new();
    for k in 0..500_u16 {
        let victim = SocketAddr::from(([198, 51, 100, 1 + (k % 200) as u8], 1_000 + k));
        let now = fixture.now;
        fixture.players[player].client.send_datagram(Bytes::from(vec![2; 40])).unwrap();
        while fixture.players[player].client.poll_transmit(now, &mut packet).is_some() {
            fixture.inject(victim, &packet);
        }
        fixture.run(Duration::from_millis(10));
    }
    let (mut to, mut from) = (0, 0);
    for (address, traffic) in &fixture.traffic {
        if address.ip().to_string().starts_with("198.51.") {
            (to, from) = (to + traffic.to_server, from + traffic.from_server);
        }
    }
    // Five seconds: two packets free, and one a second.
    assert!(from <= 3 * to + 8 * 1_200, "{from} bytes to victims for {to} forged");
}

#[test]
fn a_forged_source_address_takes_no_connection_away() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 20));
    play(&mut fixture, player, 60);
    // An attacker on the path copies packets of the client and sends them, ahead of the client,
    // from a victim's address.
    let victim = "198.51.100.66:9".parse().unwrap();
    for _ in 0..3 {
        let now = fixture.now;
        fixture.players[player].client.send_datagram(Bytes::from(vec![2; 40])).unwrap();
        let mut packet = Vec::new();
        while fixture.players[player].client.poll_transmit(now, &mut packet).is_some() {
            fixture.inject(victim, &packet);
        }
        fixture.transmit();
        fixture.run(Duration::from_millis(100));
    }
    let traffic = fixture.traffic[&victim];
    assert!(traffic.from_server <= 3 * traffic.to_server + 3 * 1_200, "{traffic:?}");
    // The client's own packets bring the path back.
    let (down, _, _) = play(&mut fixture, player, 240);
    assert!(down > 180, "{down}");
    assert_ne!(fixture.server.remote(peer), Some(victim));
    assert!(fixture.take_closed().is_empty());
}
