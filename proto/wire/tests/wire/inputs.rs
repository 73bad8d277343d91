//! Input datagrams: round trip, any bytes, limits.

use proptest::{collection::vec, prelude::*};
use sortie_wire::{
    DecodeError,
    input::{InputCommand, InputDatagram},
    limits::{INPUT_BYTES_MAX, INPUT_COMMANDS_MAX},
};

use crate::samples;

prop_compose! {
    fn command()(
        move_right: i8,
        move_forward: i8,
        yaw: u16,
        pitch: i16,
        buttons in 0..1u16 << 12,
        weapon_slot in 0..4u8,
        view_tick: u32,
        tick: u32,
    ) -> InputCommand {
        InputCommand { tick, move_right, move_forward, yaw, pitch, buttons, weapon_slot, view_tick }
    }
}

/// How an older input differs from the next newer: not at all, a little, or altogether.
fn older(newer: InputCommand, step: (u32, u8, InputCommand)) -> Option<InputCommand> {
    let (gap, like, other) = step;
    let tick = newer.tick.checked_sub(gap)?;
    let view_tick = newer.view_tick.wrapping_sub(gap);
    let yaw = newer.yaw.wrapping_add(u16::from(like));
    Some(match like {
        0 => InputCommand { tick, view_tick, ..newer },
        1..=127 => InputCommand { tick, view_tick: newer.view_tick, yaw, ..newer },
        _ => InputCommand { tick, ..other },
    })
}

proptest! {
    #[test]
    fn every_datagram_survives_the_wire(
        newest in command(),
        steps in vec((1..=33u32, any::<u8>(), command()), 0..6),
        ack_tick in prop_oneof![Just(0), any::<u32>()],
        ack_bits in prop_oneof![Just(u32::MAX), any::<u32>()],
    ) {
        let mut commands = vec![newest];
        for step in steps {
            commands.extend(older(commands[commands.len() - 1], step));
        }
        let sent = InputDatagram::new(ack_tick, ack_bits, &commands).unwrap();
        prop_assert_eq!(sent.commands().len(), commands.len().min(INPUT_COMMANDS_MAX));
        let mut out = [0; INPUT_BYTES_MAX];
        let bytes = sent.encode(&mut out);
        prop_assert!(!bytes.is_empty());
        prop_assert_eq!(InputDatagram::decode(bytes), Ok(sent));
    }

    #[test]
    fn any_bytes_are_refused_or_re_encode_to_themselves(bytes in vec(any::<u8>(), 0..80)) {
        let bytes = [&[0x40], &bytes[..]].concat();
        if let Ok(datagram) = InputDatagram::decode(&bytes) {
            let mut out = [0; INPUT_BYTES_MAX];
            prop_assert_eq!(datagram.encode(&mut out), &bytes);
        }
    }
}

#[test]
fn a_usual_datagram_is_small() {
    let mut out = [0; INPUT_BYTES_MAX];
    let walk = |tick: u32| InputCommand {
        tick,
        move_forward: 127,
        yaw: (tick * 300) as u16,
        view_tick: tick - 9,
        ..InputCommand::default()
    };
    let commands = [1_004, 1_003, 1_002, 1_001].map(walk);
    let datagram = InputDatagram::new(995, u32::MAX, &commands).unwrap();
    assert_eq!(datagram.encode(&mut out).len(), 22);
}

#[test]
fn the_longest_datagram_fits_its_limit() {
    let mut commands = [InputCommand::default(); 4];
    for (index, command) in commands.iter_mut().enumerate() {
        let odd = index % 2 == 1;
        *command = InputCommand {
            tick: 1_000 - 33 * index as u32,
            move_right: if odd { 1 } else { -1 },
            yaw: if odd { 0 } else { 32_768 },
            pitch: if odd { 16_000 } else { -16_000 },
            buttons: u16::from(odd),
            view_tick: 4_000_000_000 - index as u32,
            ..InputCommand::default()
        };
    }
    let datagram = InputDatagram::new(4_000_000_000, 5, &commands).unwrap();
    let mut out = [0; INPUT_BYTES_MAX];
    let bytes = datagram.encode(&mut out);
    assert_eq!(bytes.len(), INPUT_BYTES_MAX);
    assert_eq!(InputDatagram::decode(bytes), Ok(datagram));
}

#[test]
fn commands_out_of_order_are_left_out() {
    let at = |tick| InputCommand { tick, ..InputCommand::default() };
    let kept = |ticks: &[u32]| {
        let commands: Vec<_> = ticks.iter().map(|&tick| at(tick)).collect();
        InputDatagram::new(0, 0, &commands).map(|datagram| datagram.commands().len())
    };
    assert_eq!(kept(&[]), None);
    assert_eq!(kept(&[10, 9, 9]), Some(2));
    assert_eq!(kept(&[10, 11]), Some(1));
    assert_eq!(kept(&[100, 67, 33]), Some(2));
    assert_eq!(kept(&[9, 8, 7, 6, 5]), Some(4));
}

#[test]
fn broken_datagrams_are_named() {
    assert_eq!(InputDatagram::decode(&[]), Err(DecodeError::Truncated));
    assert_eq!(InputDatagram::decode(&[0x41; 30]), Err(DecodeError::Kind(0x41)));
    assert_eq!(InputDatagram::decode(&[0x40; INPUT_BYTES_MAX + 1]), Err(DecodeError::TooLong));
    let mut out = [0; INPUT_BYTES_MAX];
    let sample = samples::input();
    let bytes = sample.encode(&mut out);
    for len in 0..bytes.len() {
        assert_eq!(InputDatagram::decode(&bytes[..len]), Err(DecodeError::Truncated));
    }
    let longer = [bytes, &[0]].concat();
    assert_eq!(InputDatagram::decode(&longer), Err(DecodeError::Trailing));
}
