//! What a session grants and what it refuses.

use crate::common::{Game, HZ, World};
use sortie_link_sim::LinkConfig;
use sortie_session::{
    inputs::Origin,
    server::{
        DATAGRAMS_AT_ONCE_MAX, DATAGRAMS_PER_TICK_MAX, InputVerdict, STRIKES_MAX, ServerSession,
        SessionConfig, Why,
    },
};
use sortie_wire::{
    input::{InputCommand, InputDatagram},
    limits::INPUT_BYTES_MAX,
    message::LoadStep,
};

fn datagram(tick: u32) -> Vec<u8> {
    let input = InputCommand { tick, move_forward: 127, ..InputCommand::default() };
    let datagram = InputDatagram::new(0, 0, &[input]).unwrap();
    datagram.encode(&mut [0; INPUT_BYTES_MAX]).to_vec()
}

#[test]
fn malformed_datagrams_are_counted_and_end_the_stay() {
    let mut session = ServerSession::new(SessionConfig::default(), 0);
    for strike in 1..STRIKES_MAX {
        let verdict = session.handle_input_datagram(&[0x40, 1, 2], strike);
        assert_eq!(verdict, InputVerdict::Malformed);
    }
    assert_eq!(session.handle_input_datagram(&[], 40), InputVerdict::Close);
    assert_eq!(session.counters().malformed, u64::from(STRIKES_MAX));
}

#[test]
fn a_flood_is_not_even_read() {
    let mut session = ServerSession::new(SessionConfig::default(), 0);
    for _ in 0..DATAGRAMS_AT_ONCE_MAX {
        assert_eq!(session.handle_input_datagram(&datagram(1), 0), InputVerdict::Taken);
    }
    for _ in 0..1_000 {
        assert_eq!(session.handle_input_datagram(&datagram(2), 0), InputVerdict::Flooded);
    }
    session.take_input(1);
    assert_eq!(session.take_input(2).origin, Origin::Repeated);
    assert_eq!(session.handle_input_datagram(&datagram(3), 2), InputVerdict::Taken);
}

#[test]
fn in_the_long_run_a_flood_is_read_in_small_part() {
    let mut session = ServerSession::new(SessionConfig::default(), 0);
    let mut read = 0;
    for tick in 0..1_000 {
        let verdicts = (0..100).map(|_| session.handle_input_datagram(&datagram(1), tick));
        read += verdicts.filter(|verdict| *verdict == InputVerdict::Taken).count() as u32;
    }
    assert_eq!(read, DATAGRAMS_AT_ONCE_MAX + 999 * DATAGRAMS_PER_TICK_MAX);
}

#[test]
fn two_seconds_held_back_and_sent_at_once_move_nobody_further() {
    let mut session = ServerSession::new(SessionConfig::default(), 0);
    session.handle_input_datagram(&datagram(1), 0);
    let mut moved = 0;
    for tick in 1..=240 {
        if tick == 121 {
            for held_back in 2..=120 {
                session.handle_input_datagram(&datagram(held_back), 120);
            }
        }
        moved += u32::from(session.take_input(tick).command.move_forward != 0);
    }
    // The one in time and the ten for which it stands in.
    assert_eq!(moved, 11);
}

#[test]
fn a_session_says_why_an_entity_was_sent_or_not() {
    let config = SessionConfig { bytes_per_s: 7_000, ..SessionConfig::default() };
    let mut game = Game::new(400, 120.0, 1, config, LinkConfig::default());
    game.run(300);
    let player = &game.players[0];
    let visible = &player.visible[&game.world.tick];
    let why = |id: &u32| player.server.why(*id);
    let hidden = (0..400).find(|id| *id != 0 && !visible.contains(id)).unwrap();
    assert_eq!(why(&hidden), Why::NotVisible);
    let sent = visible.iter().filter(|id| why(id) == Why::Sent).count();
    let waiting: Vec<_> = visible.iter().map(why).collect();
    let is_waiting = |why: &&Why| matches!(why, Why::Waiting { ticks } if *ticks > 0);
    assert!(sent > 10 && waiting.iter().filter(is_waiting).count() > 5);
    assert!(waiting.iter().any(|why| matches!(why, Why::Unchanged { .. })));
}

#[test]
fn under_load_far_entities_come_less_often_and_then_half_the_snapshots() {
    let snapshots_and_bytes = |load: LoadStep| {
        let config = SessionConfig { bytes_per_s: 200_000, ..SessionConfig::default() };
        let mut game = Game::new(300, 200.0, 1, config, LinkConfig::default());
        game.players[0].radius_m = 150.0;
        game.players[0].load = load;
        game.run(10 * u32::from(HZ));
        let counters = game.players[0].server.counters();
        (counters.snapshots, counters.snapshot_bytes)
    };
    let (normal, normal_bytes) = snapshots_and_bytes(LoadStep::Normal);
    let (thin, thin_bytes) = snapshots_and_bytes(LoadStep::ThinFar);
    let (half, half_bytes) = snapshots_and_bytes(LoadStep::HalfRate);
    assert_eq!((normal, thin, half), (600, 600, 300));
    assert!(thin_bytes * 10 < normal_bytes * 8, "{normal_bytes} {thin_bytes}");
    assert!(half_bytes * 10 < thin_bytes * 7, "{thin_bytes} {half_bytes}");
}

#[test]
fn a_world_of_the_tests_is_the_same_for_a_seed() {
    let (mut one, mut other) = (World::new(20, 50.0, 3), World::new(20, 50.0, 3));
    (0..50).for_each(|_| (one.step(), other.step()).0);
    assert_eq!(one.archive, other.archive);
}
