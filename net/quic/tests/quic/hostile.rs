//! Clients that mean harm: bounded memory, counted, closed with a code, no panic.

use std::net::SocketAddr;
use std::time::Duration;

use crate::fixture::{Fixture, lossy, seed};
use crate::raw::RawClient;
use bytes::{Bytes, BytesMut};
use quinn_proto::Dir;
use sortie_link_sim::Rng;
use sortie_quic::{CloseCodes, CloseReason, PeerId, SendMessageError, ServerEvent};

/// The two still exchange messages.
fn still_talks(fixture: &mut Fixture, player: usize, peer: PeerId) {
    fixture.players[player].client.send_message(b"hello").unwrap();
    fixture.server.send_message(peer, b"well?").unwrap();
    fixture.run(Duration::from_millis(300));
    assert_eq!(fixture.players[player].messages, [&b"well?"[..]]);
    assert_eq!(fixture.take_messages(), [&b"hello"[..]]);
}

#[test]
fn garbage_by_the_hundred_thousand_changes_nothing() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 10));
    let mut rng = Rng::new(seed());
    // A real packet to mutate: most garbage dies at the first byte.
    fixture.players[player].client.send_datagram(Bytes::from(vec![2; 40])).unwrap();
    let mut real = Vec::new();
    fixture.players[player].client.poll_transmit(fixture.now, &mut real).unwrap();
    let source = |rng: &mut Rng| SocketAddr::from(([198, 18, 0, rng.below(256) as u8], 9));
    let mut garbage = Vec::new();
    for k in 0..200_000_u32 {
        garbage.clear();
        if k % 2 == 0 {
            let length = rng.below(1_500) as usize;
            while garbage.len() < length {
                garbage.extend_from_slice(&rng.next_u64().to_le_bytes());
            }
            if let Some(first) = garbage.first_mut() {
                // Half of it looks like QUIC of version 1.
                *first |= 0x40;
            }
            if k % 4 == 0 && garbage.len() > 5 {
                garbage[0] |= 0x80;
                garbage[1..5].copy_from_slice(&1_u32.to_be_bytes());
            }
        } else {
            garbage.extend_from_slice(&real);
            garbage.truncate(1 + rng.below(real.len() as u64) as usize);
            let at = rng.below(garbage.len() as u64) as usize;
            garbage[at] ^= 1 << rng.below(8);
        }
        let from = source(&mut rng);
        fixture.inject(from, &garbage);
        if k % 1_000 == 0 {
            fixture.step();
        }
    }
    fixture.run(Duration::from_secs(10));
    let (mut to, mut from) = (0, 0);
    for (address, traffic) in &fixture.traffic {
        if address.ip().to_string().starts_with("198.18.") {
            (to, from) = (to + traffic.to_server, from + traffic.from_server);
        }
    }
    assert!(from * 10 < to, "{from} bytes answered to {to} of garbage");
    assert!(fixture.take_closed().is_empty());
    assert!(fixture.take_datagrams().is_empty() && fixture.take_messages().is_empty());
    assert_eq!(fixture.server.peers().collect::<Vec<_>>(), [peer]);
    assert_eq!(fixture.server.open_connections(), 1);
    assert!(fixture.server.counters().ignored > 90_000);
    still_talks(&mut fixture, player, peer);
}

#[test]
fn a_client_survives_garbage_too() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 10));
    let mut rng = Rng::new(seed());
    for _ in 0..20_000 {
        let garbage: Vec<u8> = (0..rng.below(200)).map(|_| rng.next_u64() as u8).collect();
        let (now, server) = (fixture.now, fixture.server_address);
        let client = &mut fixture.players[player].client;
        client.handle_datagram(now, server, BytesMut::from(&garbage[..]));
    }
    still_talks(&mut fixture, player, peer);
}

#[test]
fn an_over_long_frame_closes_with_its_code() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 10));
    fixture.players[player].client.send_message(&[1; 16 << 10]).unwrap();
    fixture.players[player].client.send_message(&[1; (16 << 10) + 1]).unwrap();
    fixture.run(Duration::from_secs(1));
    assert_eq!(fixture.take_messages().len(), 1, "the longest allowed one is read");
    let code = CloseCodes::default().malformed_frame;
    assert_eq!(fixture.take_closed(), [(peer, CloseReason::Local { code })]);
    let told = fixture.players[player].closed.clone();
    assert!(matches!(told, Some(CloseReason::Remote { code: c, .. }) if c == u64::from(code)));
    assert_eq!(fixture.server.counters().malformed_frames, 1);
}

#[test]
fn a_client_that_never_reads_is_an_error_to_the_sender_long_before_a_megabyte() {
    let mut fixture = Fixture::new();
    let (player, peer) = fixture.join_now(lossy(0, 10));
    fixture.players[player].client.send_message(b"open the stream").unwrap();
    fixture.run(Duration::from_millis(100));
    fixture.players[player].reads = false;
    let mut held = 0;
    let error = loop {
        match fixture.server.send_message(peer, &[1; 4_000]) {
            Ok(()) => held += 4_000,
            Err(error) => break error,
        }
        assert!(held < 1 << 20, "{held} bytes taken");
        fixture.run(Duration::from_millis(4));
    };
    assert_eq!(error, SendMessageError::Backlog);
    // 64 KiB at the client, 128 KiB of backlog; QUIC buffers no more than flow control allows.
    assert!(held <= (64 + 256 + 128) << 10, "{held}");
    assert_eq!(fixture.server.counters().backlog_full, 1);
    fixture.server.close(peer, 77, "too slow");
    fixture.run(Duration::from_secs(2));
    assert_eq!(fixture.server.open_connections(), 0);
}

#[test]
fn a_second_stream_of_either_kind_closes_the_connection() {
    for dir in [Dir::Bi, Dir::Uni] {
        let mut fixture = Fixture::new();
        let mut raw = RawClient::connect(&mut fixture, b"sortie/1");
        raw.run_until(&mut fixture, |raw| raw.connected);
        let messages = raw.quic.streams().open(Dir::Bi).unwrap();
        raw.quic.send_stream(messages).write(&[0, 1, 9]).unwrap();
        (0..50).for_each(|_| raw.step(&mut fixture));
        assert_eq!(raw.closed_with(), None);
        let second = raw.quic.streams().open(dir).expect("there is room to be told");
        assert_eq!(raw.quic.streams().open(dir), None, "and for no more");
        raw.quic.send_stream(second).write(&[9; 200]).unwrap();
        raw.run_until(&mut fixture, |raw| raw.closed_with().is_some());
        let code = u64::from(CloseCodes::default().stream_misuse);
        assert_eq!(raw.closed_with(), Some(code), "{dir:?}");
        assert_eq!(fixture.server.counters().streams_refused, 1);
        assert_eq!(fixture.take_messages(), [&[9][..]], "what came before counts");
    }
}

#[test]
fn a_client_that_ends_its_message_stream_is_closed() {
    let mut fixture = Fixture::new();
    let mut raw = RawClient::connect(&mut fixture, b"sortie/1");
    raw.run_until(&mut fixture, |raw| raw.connected);
    let id = raw.quic.streams().open(Dir::Bi).unwrap();
    raw.quic.send_stream(id).write(&[0, 2, 7, 7]).unwrap();
    raw.quic.send_stream(id).finish().unwrap();
    raw.run_until(&mut fixture, |raw| raw.closed_with().is_some());
    assert_eq!(raw.closed_with(), Some(u64::from(CloseCodes::default().stream_misuse)));
    assert_eq!(fixture.take_messages(), [&[7, 7][..]], "what came before counts");
}

#[test]
fn an_empty_frame_closes_with_its_code() {
    let mut fixture = Fixture::new();
    let mut raw = RawClient::connect(&mut fixture, b"sortie/1");
    raw.run_until(&mut fixture, |raw| raw.connected);
    let id = raw.quic.streams().open(Dir::Bi).unwrap();
    raw.quic.send_stream(id).write(&[0, 0]).unwrap();
    raw.run_until(&mut fixture, |raw| raw.closed_with().is_some());
    assert_eq!(raw.closed_with(), Some(u64::from(CloseCodes::default().malformed_frame)));
}

#[test]
fn a_sender_of_endless_stream_data_is_held_by_flow_control() {
    let mut fixture = Fixture::new();
    let mut raw = RawClient::connect(&mut fixture, b"sortie/1");
    raw.run_until(&mut fixture, |raw| raw.connected);
    let id = raw.quic.streams().open(Dir::Bi).unwrap();
    // A server that does not look at its events takes one window in, and no more.
    let mut accepted = 0;
    for _ in 0..200 {
        while let Ok(written) = raw.quic.send_stream(id).write(&[1; 4_096]) {
            accepted += written;
        }
        raw.exchange(&mut fixture);
    }
    assert!(accepted <= 64 << 10, "{accepted}");
    while let Some(event) = fixture.server.poll_event() {
        assert!(matches!(event, ServerEvent::Connected { .. } | ServerEvent::Message { .. }));
    }
}

#[test]
fn early_data_and_resumption_are_not_on_offer() {
    let mut fixture = Fixture::new();
    let tls = crate::raw::tls_config(b"sortie/1");
    let mut first = RawClient::with_tls(&mut fixture, tls.clone());
    first.run_until(&mut fixture, |raw| raw.connected);
    (0..100).for_each(|_| first.step(&mut fixture));
    let second = RawClient::with_tls(&mut fixture, tls);
    assert!(!second.quic.has_0rtt(), "the server gave no ticket to resume from");
}
