//! Clients that do not keep to the protocol: each is closed with the code that says why, and
//! nobody else notices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sortie_client::LanePolicy;
use sortie_udp::{Socket, SocketOptions};
use sortie_wire::close::CloseCode;
use sortie_wire::limits::PROTOCOL_VERSION;
use sortie_wire::message::{Blob, ClientMessage, Credential, ServerMessage};

use crate::on_both_lanes;
use crate::scene::{Intruder, Scene};
use crate::world::{PATIENCE, ticket};

on_both_lanes! {
    a_stream_of_broken_datagrams_ends_the_connection,
    who_plays_nothing_is_idle,
    a_flood_of_datagrams_is_read_in_part_and_ends_nothing,
}

#[test]
fn who_says_nothing_is_sent_away() {
    let mut scene = Scene::new();
    // There is no stream to say why on.
    assert_eq!(scene.closed_without_a_word(), Some(CloseCode::HelloExpected));
}

#[test]
fn the_first_message_is_a_hello() {
    let mut scene = Scene::new();
    scene.say(&ClientMessage::Spot);
    assert_eq!(scene.closed(), Some(CloseCode::HelloExpected));
}

#[test]
fn another_version_is_told_so() {
    let mut scene = Scene::new();
    let ticket = ticket(&scene.ready(), 1, 1);
    scene.hello(PROTOCOL_VERSION + 1, Credential::Ticket(Blob::new(ticket).unwrap()));
    assert_eq!(scene.closed(), Some(CloseCode::ProtocolVersion));
}

#[test]
fn a_hello_of_another_shape_is_told_of_the_version() {
    let mut scene = Scene::new();
    // A hello of version 1: it has no lanes.
    scene.intruder.quic.send_message(&[0, 1, 1, 0]).unwrap();
    assert_eq!(scene.closed(), Some(CloseCode::ProtocolVersion));
}

#[test]
fn forged_tickets_and_tokens_open_nothing() {
    let mut scene = Scene::new();
    let mut forged = ticket(&scene.ready(), 1, 1);
    forged[20] ^= 1;
    scene.hello(PROTOCOL_VERSION, Credential::Ticket(Blob::new(forged).unwrap()));
    assert_eq!(scene.closed(), Some(CloseCode::TicketInvalid));
    let mut scene = Scene::new();
    scene.hello(PROTOCOL_VERSION, Credential::Resume(Blob::new([7; 67]).unwrap()));
    assert_eq!(scene.closed(), Some(CloseCode::ResumeUnknown));
    assert_eq!(scene.server.battle().view().soldiers.len(), 0);
}

/// Whoever comes with many others waits for the next tick, and the battle does not wait for them.
#[test]
fn a_rush_of_hellos_is_answered_as_each_tick_has_time() {
    // At 128 Hz a sixteenth of a tick is 8 checks of a ticket.
    let (players, most) = (40, 8);
    let mut scene = Scene::with(LanePolicy::Quic, |config| {
        config.rules.tick_hz = 128;
        config.rules.players_max = 64;
    });
    let ready = scene.ready();
    let mut rush: Vec<_> = (0..players).map(|_| Intruder::new(&ready, scene.now)).collect();
    let deadline = Instant::now() + PATIENCE;
    while !rush.iter().all(|guest| guest.connected) {
        assert!(Instant::now() < deadline, "not everybody is connected");
        rush.iter_mut().for_each(|guest| guest.send(scene.now));
        scene.step();
        rush.iter_mut().for_each(|guest| guest.receive(scene.now));
    }
    for (number, guest) in (1..).zip(&mut rush) {
        let ticket = ticket(&ready, number, number);
        guest.hello(PROTOCOL_VERSION, Credential::Ticket(Blob::new(ticket).unwrap()));
        guest.send(scene.now);
    }
    let inside = |scene: &Scene| scene.server.battle().view().soldiers.len();
    let mut let_in = Vec::new();
    while inside(&scene) < players {
        assert!(Instant::now() < deadline, "only {} are in", inside(&scene));
        let before = inside(&scene);
        scene.step();
        let_in.push(inside(&scene) - before);
        for guest in &mut rush {
            guest.receive(scene.now);
            guest.send(scene.now);
        }
    }
    assert_eq!(let_in.iter().max(), Some(&most), "{let_in:?}");
}

#[test]
fn a_broken_message_ends_the_connection() {
    let mut scene = Scene::new();
    scene.intruder.quic.send_message(&[200, 1, 2, 3]).unwrap();
    assert_eq!(scene.closed(), Some(CloseCode::Malformed));
}

fn a_stream_of_broken_datagrams_ends_the_connection(lane: LanePolicy) {
    let mut scene = Scene::join_over(lane);
    for _ in 0..200 {
        if scene.intruder.closed_by.is_some() {
            break;
        }
        scene.send_datagram(&[0x40, 0xff, 0xff]);
        scene.step();
    }
    assert_eq!(scene.closed(), Some(CloseCode::Malformed));
}

#[test]
fn who_leaves_is_told_so_before_the_close() {
    let mut scene = Scene::new();
    scene.join();
    scene.say(&ClientMessage::Leave);
    assert_eq!(scene.closed(), Some(CloseCode::Left));
    assert_eq!(scene.server.connected(), 0);
}

#[test]
fn nothing_that_is_said_after_the_farewell_counts() {
    let mut scene = Scene::new();
    scene.join();
    (0..100).for_each(|_| scene.say(&ClientMessage::Spot));
    let told = |intruder: &Intruder| {
        let leaving = |message: &ServerMessage| matches!(message, ServerMessage::Leaving { .. });
        intruder.messages.iter().any(leaving)
    };
    scene.until("the farewell", told);
    assert_eq!((scene.intruder.closed_by, scene.server.connected()), (None, 0));
    scene.say(&ClientMessage::Leave);
    scene.say(&ClientMessage::Ping { nonce: 5 });
    assert_eq!(scene.closed(), Some(CloseCode::Flood));
    let pong = |message: &ServerMessage| matches!(message, ServerMessage::Pong { .. });
    assert!(!scene.intruder.messages.iter().any(pong));
    // The player is away, and may come back.
    let view = scene.server.battle().view();
    assert_ne!(view.soldiers[0].status, sortie_sim::view::Status::Left);
}

#[test]
fn a_flood_of_messages_ends_the_connection() {
    let mut scene = Scene::new();
    scene.join();
    (0..100).for_each(|_| scene.say(&ClientMessage::Spot));
    assert_eq!(scene.closed(), Some(CloseCode::Flood));
}

fn who_plays_nothing_is_idle(lane: LanePolicy) {
    let mut scene = Scene::join_over(lane);
    if lane != LanePolicy::Quic {
        // Asking for a sign of life is not playing.
        scene.send_datagram(&[]);
        scene.until("the sign", |intruder| intruder.sealed > 0);
    }
    assert_eq!(scene.closed(), Some(CloseCode::Idle));
    // The soldier waits for its player all the same.
    assert_eq!(scene.server.battle().view().soldiers.len(), 1);
}

fn a_flood_of_datagrams_is_read_in_part_and_ends_nothing(lane: LanePolicy) {
    let mut scene = Scene::join_over(lane);
    for _ in 0..30 {
        let input = scene.input();
        (0..60).for_each(|_| scene.send_datagram(&input));
        scene.step();
    }
    assert_eq!((scene.intruder.closed_by, scene.server.connected()), (None, 1));
}

#[test]
fn a_quiet_quic_connection_beside_a_busy_lane_lives() {
    let mut scene = Scene::join_over(LanePolicy::Auto);
    // Twice the idle timeouts of QUIC and of players.
    for _ in 0..60 * 30 {
        let input = scene.input();
        scene.send_datagram(&input);
        scene.step();
    }
    assert_eq!((scene.intruder.closed_by, scene.server.connected()), (None, 1));
    assert!(scene.intruder.sealed > 60 * 25, "{}", scene.intruder.sealed);
}

#[test]
fn the_lane_ends_with_its_connection() {
    let mut scene = Scene::join_over(LanePolicy::Auto);
    let input = scene.input();
    scene.send_datagram(&input);
    scene.until("a snapshot", |intruder| intruder.sealed > 0);
    scene.intruder.quic.close(u32::from(CloseCode::Normal.number()), "over");
    (0..5).for_each(|_| scene.step());
    let before = scene.intruder.sealed;
    for _ in 0..60 {
        let input = scene.input();
        scene.send_datagram(&input);
        scene.step();
    }
    assert_eq!((scene.intruder.sealed, scene.server.connected()), (before, 0));
}

#[test]
fn nothing_below_0x40_from_a_stranger_is_answered() {
    for lane in [LanePolicy::Quic, LanePolicy::Auto] {
        let mut scene = Scene::join_over(lane);
        scene.intruder.socket = {
            // From here on the intruder is a stranger, at another address.
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            Socket::bind(any, SocketOptions::client()).unwrap()
        };
        scene.intruder.quic.close(0, "");
        for first in 0..0x40_u8 {
            for length in [1, 9, 25, 60, 1_200, 1_400] {
                let mut packet = vec![first; length];
                packet[1..].fill(length as u8);
                scene.send_packet(&packet);
            }
        }
        scene.server.tick(scene.now);
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(!scene.intruder.socket.wait_readable_until(soon).unwrap());
    }
}

#[test]
fn a_ping_is_answered() {
    let mut scene = Scene::new();
    scene.join();
    scene.say(&ClientMessage::Ping { nonce: 99 });
    scene.until("the pong", |intruder| {
        let pong =
            |message: &ServerMessage| matches!(message, ServerMessage::Pong { nonce: 99, .. });
        intruder.messages.iter().any(pong)
    });
}
