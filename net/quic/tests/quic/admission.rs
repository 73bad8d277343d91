//! Newcomers, forged and real, when there are too many of them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::fixture::{Fixture, IDENTITY, lossy, server_config};
use bytes::BytesMut;
use sortie_quic::{Client, ClientConfig, CloseReason, PrefixLimit, RetryPolicy, Secrets, Server};

/// A new client's first datagram.
fn first_packet(fixture: &Fixture) -> Vec<u8> {
    let config = ClientConfig::new(fixture.server_address, IDENTITY.fingerprint());
    let mut client = Client::new(config, fixture.now).unwrap();
    let mut packet = Vec::new();
    client.poll_transmit(fixture.now, &mut packet).unwrap();
    packet
}

fn spoofed(k: u32) -> SocketAddr {
    SocketAddr::from(([198, 18, (k >> 8) as u8, k as u8], 53))
}

#[test]
fn a_flood_of_forged_newcomers_is_asked_to_retry_and_never_amplified() {
    let mut fixture = Fixture::new();
    for k in 0..400 {
        let packet = first_packet(&fixture);
        fixture.inject(spoofed(k), &packet);
        // The victims' machines know nothing of it; the flood repeats itself.
        fixture.inject(spoofed(k), &packet);
        if k % 16 == 0 {
            fixture.step();
        }
    }
    let counters = fixture.server.counters();
    assert!(counters.accepted <= 64, "{counters:?}");
    assert!(counters.retries >= 336, "{counters:?}");
    // A real player gets in while the flood is pending.
    let (player, _) = fixture.join_now(lossy(0, 20));
    assert!(fixture.players[player].connected);
    fixture.run(Duration::from_secs(20));
    for k in 0..400 {
        let traffic = fixture.traffic[&spoofed(k)];
        assert!(traffic.from_server <= 3 * traffic.to_server, "{k}: {traffic:?}");
    }
    assert_eq!(fixture.server.open_connections(), 1, "half-open handshakes are forgotten");
    assert!(fixture.server.counters().handshakes_failed <= 64);
}

#[test]
fn everyone_is_asked_to_retry_when_told_so() {
    let mut config = server_config();
    config.retry = RetryPolicy { pending_max: 0, ..RetryPolicy::default() };
    let mut fixture = Fixture::with(config);
    for _ in 0..10 {
        fixture.join_now(lossy(5, 20));
    }
    assert!(fixture.server.counters().retries >= 10);
    assert_eq!(fixture.server.counters().connected, 10);
}

#[test]
fn a_retry_token_is_good_for_its_own_address_only() {
    let mut config = server_config();
    config.retry = RetryPolicy { pending_max: 0, ..RetryPolicy::default() };
    let mut fixture = Fixture::with(config);
    let client_config = ClientConfig::new(fixture.server_address, IDENTITY.fingerprint());
    let mut client = Client::new(client_config, fixture.now).unwrap();
    let (mut packet, mut answer) = (Vec::new(), Vec::new());
    let now = fixture.now;
    client.poll_transmit(now, &mut packet).unwrap();
    fixture.inject(spoofed(1), &packet);
    fixture.server.poll_transmit(now, &mut answer).unwrap();
    client.handle_datagram(now, fixture.server_address, BytesMut::from(&answer[..]));
    client.poll_transmit(now, &mut packet).unwrap();
    fixture.inject(spoofed(2), &packet);
    assert_eq!(fixture.server.counters().accepted, 0, "the token was not given to this address");
    fixture.inject(spoofed(1), &packet);
    assert_eq!(fixture.server.counters().accepted, 1, "it was given to this one");
}

#[test]
fn an_address_range_opens_only_so_many_connections() {
    let mut config = server_config();
    config.prefix_limit = PrefixLimit { burst: 5, per_s: 1 };
    config.retry = RetryPolicy { pending_max: 0, ..RetryPolicy::default() };
    let mut fixture = Fixture::with(config);
    let players: Vec<usize> = (0..12).map(|_| fixture.join(lossy(0, 10))).collect();
    fixture.run(Duration::from_millis(500));
    let connected = fixture.players.iter().filter(|player| player.connected).count();
    assert_eq!(connected, 5);
    for player in players {
        let player = &fixture.players[player];
        assert_eq!(player.closed.is_some(), !player.connected);
        assert!(player.connected || player.closed == Some(CloseReason::Refused));
    }
    // The bucket refills.
    fixture.run(Duration::from_secs(3));
    fixture.join_now(lossy(0, 10));
}

#[test]
fn a_full_server_refuses_and_says_so() {
    let mut config = server_config();
    config.connections_max = 3;
    let mut fixture = Fixture::with(config);
    for _ in 0..3 {
        fixture.join_now(lossy(0, 10));
    }
    let late = fixture.join(lossy(0, 10));
    fixture.run(Duration::from_millis(200));
    assert_eq!(fixture.players[late].closed, Some(CloseReason::Refused));
    assert_eq!(fixture.server.counters().refused, 1);
    // A place becomes free.
    let leaver = fixture.server.peers().next().unwrap();
    fixture.server.close(leaver, 1, "");
    fixture.run(Duration::from_secs(2));
    fixture.take_closed();
    fixture.join_now(lossy(0, 10));
}

#[test]
fn a_rush_of_players_is_spread_over_passes() {
    let mut config = server_config();
    config.accepts_per_pass = 2;
    let mut fixture = Fixture::with(config);
    (0..40).for_each(|_| {
        fixture.join(lossy(0, 0));
    });
    let mut before = fixture.server.counters().accepted;
    fixture.step();
    for _ in 0..30 {
        fixture.step();
        let accepted = fixture.server.counters().accepted;
        // A pass ends in the middle of a step: what arrives after it counts for the next.
        assert!(accepted - before <= 4, "{accepted} after {before}");
        before = accepted;
    }
    fixture.run_until(Duration::from_secs(5), |w| w.players.iter().all(|player| player.connected));
}

/// Clients that wait longer than they have patience for try again: the server has a handshake for
/// each of them, not for each of their attempts.
#[test]
fn an_attempt_that_was_given_up_takes_nobodys_turn() {
    let mut config = server_config();
    config.accepts_per_pass = 1;
    let mut fixture = Fixture::with(config);
    let clients = 10;
    for _ in 0..5 {
        for k in 0..clients {
            let packet = first_packet(&fixture);
            fixture.inject(spoofed(k), &packet);
        }
    }
    assert_eq!(fixture.server.counters().attempts, u64::from(5 * clients));
    for _ in 0..3 * clients {
        fixture.step();
    }
    // The very first was accepted at once, so that its client's next attempt waited as a new one.
    assert_eq!(fixture.server.counters().accepted, u64::from(clients) + 1);
}

#[test]
fn a_restarted_server_tells_its_former_clients_at_once() {
    for (root, told) in [([3; 32], true), ([4; 32], false)] {
        let mut fixture = Fixture::new();
        let (player, _) = fixture.join_now(lossy(0, 20));
        let mut config = server_config();
        config.secrets = Secrets::from_root(root);
        fixture.server = Server::new(config, fixture.now).unwrap();
        for _ in 0..30 {
            let input = bytes::Bytes::from_static(&[2; 40]);
            let _ = fixture.players[player].client.send_datagram(input);
            fixture.run(Duration::from_millis(16));
        }
        let reset = fixture.players[player].closed == Some(CloseReason::Reset);
        assert_eq!(reset, told, "only the holder of the old keys may reset");
    }
}
