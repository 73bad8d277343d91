//! What two sides that mean well get from each other.

use std::time::Duration;

use crate::fixture::{Fixture, lossy};
use bytes::Bytes;
use sortie_link_sim::{LinkConfig, Probability};
use sortie_quic::{CloseReason, ExportError, SendDatagramError, SendMessageError};

#[test]
fn a_handshake_takes_two_round_trips_at_most() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 50));
    let start = fixture.now;
    assert!(fixture.server.rtt(peer).unwrap() >= Duration::from_millis(90));
    assert!(fixture.players[player].client.is_connected());
    assert!(start.elapsed() < Duration::from_secs(1), "the clock is simulated");
    assert_eq!(fixture.server.counters().connected, 1);
    assert!(fixture.server.max_datagram(peer) >= 1_150, "{}", fixture.server.max_datagram(peer));
}

#[test]
fn both_sides_export_the_same_secret_and_others_another() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 10));
    let exported = |fixture: &Fixture, label: &[u8], context: &[u8]| {
        let mut keys = [[0; 64]; 2];
        let client = &fixture.players[player].client;
        fixture.server.export_keying_material(peer, &mut keys[0], label, context).unwrap();
        client.export_keying_material(&mut keys[1], label, context).unwrap();
        assert_eq!(keys[0], keys[1]);
        keys[0]
    };
    let key = exported(&fixture, b"EXPORTER-test", b"1");
    assert_ne!(key, exported(&fixture, b"EXPORTER-test", b"2"));
    assert_ne!(key, exported(&fixture, b"EXPORTER-tester", b"1"));
    let (other, _) = fixture.join_now(lossy(0, 10));
    let mut others = [0; 64];
    let client = &fixture.players[other].client;
    client.export_keying_material(&mut others, b"EXPORTER-test", b"1").unwrap();
    assert_ne!(key, others, "every connection has its own");
    fixture.server.close(peer, 1, "over");
    let gone = fixture.server.export_keying_material(peer, &mut others, b"EXPORTER-test", b"1");
    assert_eq!(gone, Err(ExportError));
}

#[test]
fn a_ping_is_acknowledged() {
    let mut fixture = Fixture::new();
    let (player, _) = fixture.join_now(lossy(0, 10));
    fixture.run(Duration::from_millis(500));
    let before = fixture.players[player].client.acks_heard();
    fixture.run(Duration::from_millis(100));
    assert_eq!(fixture.players[player].client.acks_heard(), before, "nothing is said");
    fixture.players[player].client.ping();
    fixture.run(Duration::from_millis(100));
    assert!(fixture.players[player].client.acks_heard() > before);
}

#[test]
fn messages_arrive_whole_and_in_order_both_ways_under_loss() {
    let mut fixture = Fixture::new();
    let mut link = lossy(5, 40);
    link.duplicate = Probability::percent(2);
    link.reorder = Probability::percent(5);
    let (player, peer) = fixture.join_now(link);
    let message = |k: u32| vec![k as u8; 1 + (k as usize * 397) % 9_000];
    for k in 0..200_u32 {
        // Two a frame, far below what the path carries: nothing may be refused.
        fixture.server.send_message(peer, &message(k)).unwrap();
        fixture.players[player].client.send_message(&message(k + 1)).unwrap();
        fixture.run(Duration::from_millis(30));
    }
    fixture.run_until(Duration::from_secs(30), |w| w.players[player].messages.len() == 200);
    fixture.run(Duration::from_secs(5));
    let down: Vec<_> = (0..200).map(message).collect();
    let up: Vec<_> = (1..201).map(message).collect();
    assert_eq!(fixture.players[player].messages, down);
    assert_eq!(fixture.take_messages(), up);
}

#[test]
fn a_client_may_speak_before_it_is_connected() {
    let mut fixture = Fixture::new();
    let player = fixture.join(lossy(0, 20));
    fixture.players[player].client.send_message(b"hello").unwrap();
    fixture.wait_for_peer();
    fixture.run(Duration::from_millis(200));
    assert_eq!(fixture.take_messages(), [&b"hello"[..]]);
}

#[test]
fn datagrams_arrive_at_the_rate_that_the_path_lets_through() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(5, 50));
    // 20 seconds of a game at 60 Hz.
    for _ in 0..1_200 {
        fixture.server.send_datagram(peer, Bytes::from(vec![1; 389])).unwrap();
        fixture.players[player].client.send_datagram(Bytes::from(vec![2; 40])).unwrap();
        fixture.run(Duration::from_millis(16));
    }
    fixture.run(Duration::from_millis(200));
    let down = fixture.players[player].datagrams.len();
    let up = fixture.take_datagrams().len();
    assert!((1_100..=1_180).contains(&down), "5 % of 1,200 are lost: {down}");
    assert!((1_100..=1_180).contains(&up), "5 % of 1,200 are lost: {up}");
    assert_eq!(fixture.server.counters().datagrams_replaced, 0);
    let (sent, lost) = fixture.server.sent_and_lost(peer).unwrap();
    let rate = lost as f64 / sent as f64;
    assert!((0.02..0.09).contains(&rate), "the server knows of the loss: {lost} of {sent}");
}

#[test]
fn of_datagrams_that_cannot_leave_the_oldest_go() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 10));
    // No transmit pass in between: the queue holds two ticks' worth.
    for k in 0..100_u8 {
        fixture.server.send_datagram(peer, Bytes::from(vec![k; 1_000])).unwrap();
    }
    fixture.run(Duration::from_millis(100));
    let arrived: Vec<u8> = fixture.players[player].datagrams.iter().map(|d| d[0]).collect();
    assert_eq!(arrived, [97, 98, 99]);
    assert_eq!(fixture.server.counters().datagrams_replaced, 97);
}

#[test]
fn a_datagram_beyond_the_limit_is_refused_and_counted() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 10));
    let limit = fixture.server.max_datagram(peer);
    let send =
        |fixture: &mut Fixture, bytes| fixture.server.send_datagram_from(peer, &vec![0; bytes]);
    assert_eq!(send(&mut fixture, limit + 1), Err(SendDatagramError::TooLarge));
    assert_eq!(send(&mut fixture, limit), Ok(()));
    fixture.run(Duration::from_millis(100));
    assert_eq!(fixture.players[player].datagrams[0].len(), limit);
    assert_eq!(fixture.server.counters().datagrams_too_large, 1);
}

#[test]
fn path_mtu_discovery_finds_ethernet() {
    let mut fixture = Fixture::new();
    let (_, peer) = fixture.join_now(lossy(0, 10));
    let before = fixture.server.max_datagram(peer);
    for _ in 0..300 {
        fixture.server.send_datagram_from(peer, &[0; 389]).unwrap();
        fixture.run(Duration::from_millis(16));
    }
    let after = fixture.server.max_datagram(peer);
    assert!(before < 1_200 && after > 1_400, "{before} -> {after}");
}

#[test]
fn close_codes_reach_the_other_side() {
    for percent in [0, 30] {
        let mut fixture = Fixture::new();
        let (player, peer) = fixture.join_now(lossy(percent, 20));
        fixture.server.close(peer, 42, "battle is over");
        // The close is repeated to whoever goes on sending, as a player's client does.
        for _ in 0..60 {
            let _ = fixture.players[player].client.send_datagram(Bytes::from_static(b"input"));
            fixture.run(Duration::from_millis(16));
        }
        let said = CloseReason::Remote { code: 42, reason: Bytes::from_static(b"battle is over") };
        assert_eq!(fixture.players[player].closed, Some(said), "seed {}", fixture.seed);
        assert_eq!(fixture.take_closed(), [(peer, CloseReason::Local { code: 42 })]);
    }
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 20));
    fixture.players[player].client.close(7, "going home");
    fixture.run(Duration::from_secs(2));
    let said = CloseReason::Remote { code: 7, reason: Bytes::from_static(b"going home") };
    assert_eq!(fixture.take_closed(), [(peer, said)]);
    assert_eq!(fixture.players[player].closed, Some(CloseReason::Local { code: 7 }));
    assert!(fixture.players[player].client.is_drained());
}

#[test]
fn what_arrived_before_a_close_is_still_read() {
    let mut fixture = Fixture::new();
    let (player, _) = fixture.join_now(LinkConfig::default());
    fixture.players[player].client.send_message(b"last words").unwrap();
    let now = fixture.now;
    let mut packet = Vec::new();
    while fixture.players[player].client.poll_transmit(now, &mut packet).is_some() {
        let from = fixture.players[player].nat.outbound(now);
        fixture.inject(from, &packet);
    }
    fixture.players[player].client.close(1, "");
    while fixture.players[player].client.poll_transmit(now, &mut packet).is_some() {
        let from = fixture.players[player].nat.outbound(now);
        fixture.inject(from, &packet);
    }
    fixture.run(Duration::from_millis(20));
    assert_eq!(fixture.take_messages(), [&b"last words"[..]]);
    assert_eq!(fixture.take_closed().len(), 1);
}

#[test]
fn silence_ends_a_connection_on_both_sides_after_eight_seconds() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 20));
    // Quiet alone is no silence: the client gives signs of life.
    fixture.run(Duration::from_secs(30));
    assert!(fixture.take_closed().is_empty());
    let dead = LinkConfig { loss: Probability::percent(100), ..LinkConfig::default() };
    fixture.players[player].up.set_config(dead);
    fixture.players[player].down.set_config(dead);
    fixture.run(Duration::from_millis(5_500));
    assert!(fixture.take_closed().is_empty());
    fixture.run(Duration::from_millis(5_500));
    assert_eq!(fixture.take_closed(), [(peer, CloseReason::TimedOut)]);
    assert_eq!(fixture.players[player].closed, Some(CloseReason::TimedOut));
    assert_eq!(fixture.server.counters().timed_out, 1);
    assert_eq!(fixture.server.open_connections(), 0);
}

#[test]
fn an_id_of_a_gone_connection_reaches_nobody() {
    let mut fixture = Fixture::new();
    let (_, first) = fixture.join_now(lossy(0, 10));
    fixture.server.close(first, 1, "");
    fixture.run(Duration::from_secs(2));
    assert_eq!(fixture.server.open_connections(), 0);
    let (player, second) = fixture.join_now(lossy(0, 10));
    assert_eq!(first.index(), second.index(), "the slot is reused");
    assert_ne!(first, second);
    assert_eq!(fixture.server.send_message(first, b"stale"), Err(SendMessageError::Closed));
    assert_eq!(fixture.server.send_datagram_from(first, b"x"), Err(SendDatagramError::Closed));
    assert_eq!(fixture.server.rtt(first), None);
    fixture.server.close(first, 9, "must not hit the newcomer");
    fixture.run(Duration::from_secs(1));
    assert!(
        fixture.players[player].messages.is_empty() && fixture.players[player].closed.is_none()
    );
    assert_eq!(fixture.server.peers().collect::<Vec<_>>(), [second]);
}

#[test]
fn late_packets_of_a_gone_connection_disturb_nobody() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 10));
    let from = fixture.players[player].nat.outbound(fixture.now);
    // Packets that the network kept back.
    let mut late = Vec::new();
    for _ in 0..50 {
        let now = fixture.now;
        let client = &mut fixture.players[player].client;
        client.send_datagram(Bytes::from_static(b"late")).unwrap();
        let mut packet = Vec::new();
        while client.poll_transmit(now, &mut packet).is_some() {
            late.push(packet.clone());
        }
    }
    fixture.server.close(peer, 1, "");
    fixture.run(Duration::from_secs(2));
    let (newcomer, new_peer) = fixture.join_now(lossy(0, 10));
    assert_eq!(new_peer.index(), peer.index());
    late.iter().for_each(|packet| fixture.inject(from, packet));
    fixture.run(Duration::from_secs(1));
    assert!(fixture.take_datagrams().is_empty());
    assert!(fixture.players[newcomer].closed.is_none());
}

#[test]
fn a_hundred_clients_on_bad_paths_all_connect() {
    let mut fixture = Fixture::new();
    // At 5 % in each direction one client in a hundred thousand loses so many packets in a row
    // that the idle timeout comes first; TLS rolls its own dice, so no seed rules that out.
    let link = lossy(5, 60);
    let players: Vec<usize> = (0..100).map(|_| fixture.join(link)).collect();
    fixture.run_until(Duration::from_secs(20), |w| w.players.iter().all(|p| p.connected));
    for player in players {
        fixture.players[player].client.send_message(&[player as u8; 100]).unwrap();
    }
    let mut heard: Vec<u8> = Vec::new();
    // QUIC doubles its patience with each loss: the unluckiest need several seconds.
    for _ in 0..40 {
        fixture.run(Duration::from_millis(500));
        heard.extend(fixture.take_messages().iter().map(|m| m[0]));
        if heard.len() == 100 {
            break;
        }
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..100).collect::<Vec<u8>>());
}
