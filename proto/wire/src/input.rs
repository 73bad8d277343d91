//! Input datagrams: what a player wants, tick by tick, and which snapshots arrived.
//!
//! Each datagram repeats the last inputs, so that single losses cost nothing. The newest input is
//! written out; an older one is written as its difference to the next newer.

use crate::{
    bits::{BitReader, BitWriter, fits_signed},
    datagram::DatagramKind,
    error::DecodeError,
    limits::{INPUT_BYTES_MAX, INPUT_COMMANDS_MAX},
};

/// Held buttons, bits of [`InputCommand::buttons`]. Others are ignored by the server.
pub mod buttons {
    /// Pull the trigger.
    pub const FIRE: u16 = 1 << 0;
    /// Aim down the sights.
    pub const AIM: u16 = 1 << 1;
    /// Jump.
    pub const JUMP: u16 = 1 << 2;
    /// Crouch while held.
    pub const CROUCH: u16 = 1 << 3;
    /// Sprint while held.
    pub const SPRINT: u16 = 1 << 4;
    /// Reload.
    pub const RELOAD: u16 = 1 << 5;
    /// Revive or use the gadget.
    pub const USE: u16 = 1 << 6;
    /// Throw a grenade.
    pub const THROW: u16 = 1 << 7;
    /// Strike.
    pub const MELEE: u16 = 1 << 8;
    /// All that have a name.
    pub const ALL: u16 = (1 << 9) - 1;
}

/// Bits of the buttons on the wire.
const BUTTON_BITS: u32 = 12;
const SLOT_BITS: u32 = 2;
/// Ages (of an ack, of the view) up to this many bits have a short form.
const AGE_BITS: u32 = 8;
/// Ticks between two inputs beyond the usual one.
const GAP_BITS: u32 = 5;
/// Short form of an angle's change.
const TURN_BITS: u32 = 10;

/// One player's intent for one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputCommand {
    /// The tick that is to consume it.
    pub tick: u32,
    /// Sideways, -127 (left) to 127 (right), relative to the view.
    pub move_right: i8,
    /// Along the view, -127 (backward) to 127 (forward).
    pub move_forward: i8,
    /// Heading, 65,536 units a turn.
    pub yaw: u16,
    /// Elevation, 65,536 units a turn; the server clamps it to ±89 degrees.
    pub pitch: i16,
    /// Held [`buttons`]. Below 2^12.
    pub buttons: u16,
    /// Weapon wanted in hand: 0 primary, 1 sidearm, 2 gadget; 3 is ignored.
    pub weapon_slot: u8,
    /// The tick at which this player saw the others when it gave this input.
    pub view_tick: u32,
}

/// A client's datagram: acknowledgements and its newest inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputDatagram {
    /// The newest snapshot that arrived; 0 = none.
    pub ack_tick: u32,
    /// Bit n: the snapshot of `ack_tick - 1 - n` arrived too.
    pub ack_bits: u32,
    commands: [InputCommand; INPUT_COMMANDS_MAX],
    count: usize,
}

impl InputDatagram {
    /// A datagram with the first up to four of `newest_first`: ticks strictly falling, at most 33
    /// apart. What does not fit that is left out; `None` without any command.
    pub fn new(ack_tick: u32, ack_bits: u32, newest_first: &[InputCommand]) -> Option<Self> {
        let ack_bits = if ack_tick == 0 { 0 } else { ack_bits };
        let mut datagram = Self { ack_tick, ack_bits, commands: Default::default(), count: 0 };
        for command in newest_first.iter().take(INPUT_COMMANDS_MAX) {
            if let Some(newer) = datagram.commands().last() {
                let gap = newer.tick.checked_sub(command.tick);
                if !gap.is_some_and(|gap| (1..=gap_max()).contains(&gap)) {
                    break;
                }
            }
            datagram.commands[datagram.count] = *command;
            datagram.count += 1;
        }
        (datagram.count > 0).then_some(datagram)
    }

    /// The inputs, newest first; at least one.
    pub fn commands(&self) -> &[InputCommand] {
        &self.commands[..self.count]
    }

    /// Writes the datagram and gives its bytes.
    pub fn encode<'a>(&self, out: &'a mut [u8; INPUT_BYTES_MAX]) -> &'a [u8] {
        let mut writer = BitWriter::new(out);
        let newest = self.commands[0];
        writer.put(u32::from(DatagramKind::Input as u8), 8);
        writer.put(self.count as u32 - 1, 2);
        writer.put(newest.tick, 32);
        put_ack(&mut writer, newest.tick, self.ack_tick, self.ack_bits);
        put_newest(&mut writer, &newest);
        for pair in self.commands().windows(2) {
            put_older(&mut writer, &pair[0], &pair[1]);
        }
        // The longest datagram fits; a test writes it.
        writer.finish().map_or(&[], |used| used)
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong; never a panic.
    pub fn decode(datagram: &[u8]) -> Result<Self, DecodeError> {
        if datagram.len() > INPUT_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        let mut reader = BitReader::new(datagram);
        match reader.get(8)? as u8 {
            kind if kind == DatagramKind::Input as u8 => {}
            other => return Err(DecodeError::Kind(other)),
        }
        let count = reader.get(2)? as usize + 1;
        let tick = reader.get(32)?;
        let (ack_tick, ack_bits) = get_ack(&mut reader, tick)?;
        let mut commands = [InputCommand::default(); INPUT_COMMANDS_MAX];
        commands[0] = get_newest(&mut reader, tick)?;
        for index in 1..count {
            commands[index] = get_older(&mut reader, &commands[index - 1])?;
        }
        reader.finish()?;
        Ok(Self { ack_tick, ack_bits, commands, count })
    }
}

/// Largest distance between two inputs of a datagram, in ticks.
const fn gap_max() -> u32 {
    1 + (1 << GAP_BITS)
}

/// 0: nothing arrived yet. 1: the newest that did; then 0 when all of the 32 before did, or 1 and
/// which of them.
fn put_ack(writer: &mut BitWriter<'_>, tick: u32, ack_tick: u32, ack_bits: u32) {
    writer.put_bit(ack_tick != 0);
    if ack_tick == 0 {
        return;
    }
    put_age(writer, tick, ack_tick);
    let all = ack_bits == u32::MAX;
    writer.put_bit(!all);
    if !all {
        writer.put(ack_bits, 32);
    }
}

fn get_ack(reader: &mut BitReader<'_>, tick: u32) -> Result<(u32, u32), DecodeError> {
    if !reader.get_bit()? {
        return Ok((0, 0));
    }
    let ack_tick = get_age(reader, tick)?;
    if ack_tick == 0 {
        return Err(DecodeError::NotCanonical);
    }
    if !reader.get_bit()? {
        return Ok((ack_tick, u32::MAX));
    }
    match reader.get(32)? {
        u32::MAX => Err(DecodeError::NotCanonical),
        ack_bits => Ok((ack_tick, ack_bits)),
    }
}

/// A tick that usually lies shortly before `tick`: 0 and its age, or 1 and the tick.
fn put_age(writer: &mut BitWriter<'_>, tick: u32, past: u32) {
    let age = tick.wrapping_sub(past);
    let long = age >> AGE_BITS != 0;
    writer.put_bit(long);
    if long {
        writer.put(past, 32);
    } else {
        writer.put(age, AGE_BITS);
    }
}

fn get_age(reader: &mut BitReader<'_>, tick: u32) -> Result<u32, DecodeError> {
    if !reader.get_bit()? {
        return Ok(tick.wrapping_sub(reader.get(AGE_BITS)?));
    }
    let past = reader.get(32)?;
    if tick.wrapping_sub(past) >> AGE_BITS == 0 {
        return Err(DecodeError::NotCanonical);
    }
    Ok(past)
}

fn put_newest(writer: &mut BitWriter<'_>, command: &InputCommand) {
    put_moves(writer, command);
    writer.put(u32::from(command.yaw), 16);
    writer.put_signed(i32::from(command.pitch), 16);
    put_buttons(writer, command);
    put_age(writer, command.tick, command.view_tick);
}

fn get_newest(reader: &mut BitReader<'_>, tick: u32) -> Result<InputCommand, DecodeError> {
    let mut command = InputCommand { tick, ..InputCommand::default() };
    get_moves(reader, &mut command)?;
    command.yaw = reader.get(16)? as u16;
    command.pitch = reader.get_signed(16)? as i16;
    get_buttons(reader, &mut command)?;
    command.view_tick = get_age(reader, tick)?;
    Ok(command)
}

fn put_moves(writer: &mut BitWriter<'_>, command: &InputCommand) {
    writer.put_signed(i32::from(command.move_right), 8);
    writer.put_signed(i32::from(command.move_forward), 8);
}

fn get_moves(reader: &mut BitReader<'_>, command: &mut InputCommand) -> Result<(), DecodeError> {
    command.move_right = reader.get_signed(8)? as i8;
    command.move_forward = reader.get_signed(8)? as i8;
    Ok(())
}

fn put_buttons(writer: &mut BitWriter<'_>, command: &InputCommand) {
    debug_assert!(command.buttons >> BUTTON_BITS == 0 && command.weapon_slot >> SLOT_BITS == 0);
    writer.put(u32::from(command.buttons) & ((1 << BUTTON_BITS) - 1), BUTTON_BITS);
    writer.put(u32::from(command.weapon_slot) & ((1 << SLOT_BITS) - 1), SLOT_BITS);
}

fn get_buttons(reader: &mut BitReader<'_>, command: &mut InputCommand) -> Result<(), DecodeError> {
    command.buttons = reader.get(BUTTON_BITS)? as u16;
    command.weapon_slot = reader.get(SLOT_BITS)? as u8;
    Ok(())
}

/// One bit a group says whether it differs from the next newer input.
fn put_older(writer: &mut BitWriter<'_>, newer: &InputCommand, older: &InputCommand) {
    let gap = newer.tick - older.tick;
    writer.put_bit(gap > 1);
    if gap > 1 {
        writer.put(gap - 2, GAP_BITS);
    }
    let moved = (newer.move_right, newer.move_forward) != (older.move_right, older.move_forward);
    writer.put_bit(moved);
    if moved {
        put_moves(writer, older);
    }
    put_turn(writer, newer.yaw, older.yaw);
    put_turn(writer, newer.pitch as u16, older.pitch as u16);
    let pressed = (newer.buttons, newer.weapon_slot) != (older.buttons, older.weapon_slot);
    writer.put_bit(pressed);
    if pressed {
        put_buttons(writer, older);
    }
    let even = newer.view_tick.wrapping_sub(gap) == older.view_tick;
    writer.put_bit(!even);
    if !even {
        put_age(writer, older.tick, older.view_tick);
    }
}

fn get_older(
    reader: &mut BitReader<'_>,
    newer: &InputCommand,
) -> Result<InputCommand, DecodeError> {
    let gap = if reader.get_bit()? { reader.get(GAP_BITS)? + 2 } else { 1 };
    let tick = newer.tick.checked_sub(gap).ok_or(DecodeError::OutOfRange)?;
    let mut older = InputCommand { tick, ..*newer };
    if reader.get_bit()? {
        get_moves(reader, &mut older)?;
        if (newer.move_right, newer.move_forward) == (older.move_right, older.move_forward) {
            return Err(DecodeError::NotCanonical);
        }
    }
    older.yaw = get_turn(reader, newer.yaw)?;
    older.pitch = get_turn(reader, newer.pitch as u16)? as i16;
    if reader.get_bit()? {
        get_buttons(reader, &mut older)?;
        if (newer.buttons, newer.weapon_slot) == (older.buttons, older.weapon_slot) {
            return Err(DecodeError::NotCanonical);
        }
    }
    older.view_tick = newer.view_tick.wrapping_sub(gap);
    if reader.get_bit()? {
        let even = older.view_tick;
        older.view_tick = get_age(reader, tick)?;
        if older.view_tick == even {
            return Err(DecodeError::NotCanonical);
        }
    }
    Ok(older)
}

/// 0: the same angle. 10: a small turn back. 11: the angle.
fn put_turn(writer: &mut BitWriter<'_>, newer: u16, older: u16) {
    let turn = i32::from(older.wrapping_sub(newer) as i16);
    writer.put_bit(turn != 0);
    if turn == 0 {
        return;
    }
    let long = !fits_signed(turn, TURN_BITS);
    writer.put_bit(long);
    if long {
        writer.put(u32::from(older), 16);
    } else {
        writer.put_signed(turn, TURN_BITS);
    }
}

fn get_turn(reader: &mut BitReader<'_>, newer: u16) -> Result<u16, DecodeError> {
    if !reader.get_bit()? {
        return Ok(newer);
    }
    if !reader.get_bit()? {
        return match reader.get_signed(TURN_BITS)? {
            0 => Err(DecodeError::NotCanonical),
            turn => Ok(newer.wrapping_add(turn as u16)),
        };
    }
    let older = reader.get(16)? as u16;
    if fits_signed(i32::from(older.wrapping_sub(newer) as i16), TURN_BITS) {
        return Err(DecodeError::NotCanonical);
    }
    Ok(older)
}
