//! One entity: its whole state, or its difference to a state that both ends know.
//!
//! A delta starts with a mask; hot fields come first and have short forms for small changes:
//!
//! ```text
//!  mask  5  x or z | y | yaw | pitch | rest
//!  x, z     2 class:  0: 6 + 6   1: 7 + 7   2: 9 + 9 bits of signed difference
//!                     3: one more bit  0: 12 + 12 of difference  1: 19 + 19, the coordinates
//!  y        0: 5 bits   10: 9 bits of signed difference   11: 17, the height
//!  yaw      0: 7 bits of signed difference in steps       1: 10, the yaw in steps
//!  pitch    0: 5 bits of signed difference in steps       1: 9, the pitch in steps, signed
//!  rest  5  flags (12) | weapon (8) | health (4) | velocity (3 * 8) | identity (16)
//! ```
//! The shortest form that holds the change is the only one allowed. A soldier at 5 m/s moves 33 cm
//! in 4 ticks of 60 Hz and fits class 0 or 1 then; class 2 serves an ack of 250 ms ago.

use crate::{
    bits::{BitReader, BitWriter, fits_signed},
    error::DecodeError,
    state::{
        ANGLE_STEP, CLASS_BITS, EntityState, FLAGS_BITS, HEALTH_BITS, KIND_BITS, PITCH_BITS,
        XZ_BITS, Y_BITS, YAW_BITS,
    },
};

const MASK_BITS: u32 = 5;
const MASK_XZ: u32 = 1 << 0;
const MASK_Y: u32 = 1 << 1;
const MASK_YAW: u32 = 1 << 2;
const MASK_PITCH: u32 = 1 << 3;
const MASK_REST: u32 = 1 << 4;

const REST_BITS: u32 = 5;
const REST_FLAGS: u32 = 1 << 0;
const REST_WEAPON: u32 = 1 << 1;
const REST_HEALTH: u32 = 1 << 2;
const REST_VELOCITY: u32 = 1 << 3;
const REST_IDENTITY: u32 = 1 << 4;

const XZ_SMALL: u32 = 6;
const XZ_MEDIUM: u32 = 7;
const XZ_LARGE: u32 = 9;
const XZ_HUGE: u32 = 12;
const Y_SMALL: u32 = 5;
const Y_LARGE: u32 = 9;
const YAW_SMALL: u32 = 7;
const PITCH_SMALL: u32 = 5;

const IDENTITY_BITS: u32 = KIND_BITS + 1 + CLASS_BITS + 8;

/// Writes how `to` differs from `from`; both on the wire's grid.
#[inline]
pub(super) fn put_delta(writer: &mut BitWriter<'_>, from: &EntityState, to: &EntityState) {
    let dx = to.x as i32 - from.x as i32;
    let dy = to.y as i32 - from.y as i32;
    let dz = to.z as i32 - from.z as i32;
    let turn = yaw_turn(from.yaw, to.yaw);
    let tilt = pitch_steps(to.pitch) - pitch_steps(from.pitch);
    let rest = if same_rest(from, to) { 0 } else { rest_mask(from, to) };
    let mask = on(dx | dz != 0, MASK_XZ)
        | on(dy != 0, MASK_Y)
        | on(turn != 0, MASK_YAW)
        | on(tilt != 0, MASK_PITCH)
        | on(rest != 0, MASK_REST);
    // Mask and small hot fields, 45 bits at most, leave in one piece.
    let mut word = Word { bits: u64::from(mask), len: MASK_BITS };
    if mask & MASK_XZ != 0 {
        put_xz(&mut word, writer, dx, dz, to);
    }
    if dy != 0 {
        put_y(&mut word, writer, dy, to.y);
    }
    if turn != 0 {
        if fits_signed(turn, YAW_SMALL) {
            word.push_small(turn, YAW_SMALL);
        } else {
            word.flush(writer);
            writer.put(1 | yaw_steps(to.yaw) << 1, 1 + YAW_BITS);
        }
    }
    if tilt != 0 {
        if fits_signed(tilt, PITCH_SMALL) {
            word.push_small(tilt, PITCH_SMALL);
        } else {
            word.flush(writer);
            writer.put_bit(true);
            writer.put_signed(pitch_steps(to.pitch), PITCH_BITS);
        }
    }
    word.flush(writer);
    if rest != 0 {
        put_rest(writer, rest, to);
    }
}

/// Bits on their way into a writer.
struct Word {
    bits: u64,
    len: u32,
}

impl Word {
    #[inline(always)]
    fn push(&mut self, bits: u32, len: u32) {
        self.bits |= u64::from(bits) << self.len;
        self.len += len;
    }

    /// A zero, for "small", and a signed number of `len` bits.
    #[inline(always)]
    fn push_small(&mut self, value: i32, len: u32) {
        self.push((value as u32 & ((1 << len) - 1)) << 1, 1 + len);
    }

    #[inline(always)]
    fn flush(&mut self, writer: &mut BitWriter<'_>) {
        let first = self.len.min(32);
        writer.put(self.bits as u32, first);
        if self.len > 32 {
            writer.put((self.bits >> 32) as u32, self.len - 32);
        }
        *self = Self { bits: 0, len: 0 };
    }
}

/// Reads what [`put_delta`] wrote.
#[inline]
pub(super) fn get_delta(
    reader: &mut BitReader<'_>,
    from: &EntityState,
) -> Result<EntityState, DecodeError> {
    let mut to = *from;
    let mask = reader.get(MASK_BITS)?;
    if mask & MASK_XZ != 0 {
        get_xz(reader, &mut to)?;
    }
    if mask & MASK_Y != 0 {
        to.y = get_y(reader, from.y)?;
    }
    if mask & MASK_YAW != 0 {
        to.yaw = get_yaw(reader, from.yaw)?;
    }
    if mask & MASK_PITCH != 0 {
        to.pitch = get_pitch(reader, from.pitch)?;
    }
    if mask & MASK_REST != 0 {
        get_rest(reader, from, &mut to)?;
    }
    Ok(to)
}

/// Writes a whole state.
pub(super) fn put_full(writer: &mut BitWriter<'_>, to: &EntityState) {
    writer.put(to.x, XZ_BITS);
    writer.put(to.z, XZ_BITS);
    writer.put(to.y, Y_BITS);
    writer.put(yaw_steps(to.yaw), YAW_BITS);
    writer.put_signed(pitch_steps(to.pitch), PITCH_BITS);
    put_identity(writer, to);
    writer.put(u32::from(to.flags), FLAGS_BITS);
    writer.put(u32::from(to.weapon), 8);
    writer.put(u32::from(to.health), HEALTH_BITS);
    let moves = to.vel != [0; 3];
    writer.put_bit(moves);
    if moves {
        put_velocity(writer, to);
    }
}

/// Reads what [`put_full`] wrote.
pub(super) fn get_full(reader: &mut BitReader<'_>) -> Result<EntityState, DecodeError> {
    let mut to = EntityState {
        x: reader.get(XZ_BITS)?,
        z: reader.get(XZ_BITS)?,
        y: reader.get(Y_BITS)?,
        yaw: reader.get(YAW_BITS)? as u16 * ANGLE_STEP,
        pitch: reader.get_signed(PITCH_BITS)? as i16 * ANGLE_STEP as i16,
        ..EntityState::default()
    };
    get_identity(reader, &mut to)?;
    to.flags = reader.get(FLAGS_BITS)? as u16;
    to.weapon = reader.get(8)? as u8;
    to.health = reader.get(HEALTH_BITS)? as u8;
    if reader.get_bit()? {
        to.vel = get_velocity(reader)?;
        refuse_if(to.vel == [0; 3])?;
    }
    Ok(to)
}

/// The class of a horizontal difference, 0 to 4, where 4 stands for the coordinates themselves.
#[inline(always)]
fn xz_class(dx: i32, dz: i32) -> u32 {
    // A number fits in n bits exactly when it and its complement stay below 2^(n-1).
    let size = (dx ^ (dx >> 31)) | (dz ^ (dz >> 31));
    on(size >> (XZ_SMALL - 1) != 0, 1)
        + on(size >> (XZ_MEDIUM - 1) != 0, 1)
        + on(size >> (XZ_LARGE - 1) != 0, 1)
        + on(size >> (XZ_HUGE - 1) != 0, 1)
}

#[inline(always)]
fn push_pair(word: &mut Word, class: u32, dx: i32, dz: i32, bits: u32) {
    let ones = (1 << bits) - 1;
    let pair = (dx as u32 & ones) | (dz as u32 & ones) << bits;
    word.push(class | pair << 2, 2 + 2 * bits);
}

#[inline(always)]
fn put_xz(word: &mut Word, writer: &mut BitWriter<'_>, dx: i32, dz: i32, to: &EntityState) {
    match xz_class(dx, dz) {
        0 => push_pair(word, 0, dx, dz, XZ_SMALL),
        1 => push_pair(word, 1, dx, dz, XZ_MEDIUM),
        2 => push_pair(word, 2, dx, dz, XZ_LARGE),
        3 => {
            word.push(0b011, 3);
            word.flush(writer);
            writer.put_signed(dx, XZ_HUGE);
            writer.put_signed(dz, XZ_HUGE);
        }
        _ => {
            word.push(0b111, 3);
            word.flush(writer);
            writer.put(to.x, XZ_BITS);
            writer.put(to.z, XZ_BITS);
        }
    }
}

#[inline]
fn get_xz(reader: &mut BitReader<'_>, to: &mut EntityState) -> Result<(), DecodeError> {
    let (x, z) = (to.x as i32, to.z as i32);
    let mut class = reader.get(2)?;
    if class == 3 {
        class += reader.get(1)?;
    }
    let bits = match class {
        0 => XZ_SMALL,
        1 => XZ_MEDIUM,
        2 => XZ_LARGE,
        3 => XZ_HUGE,
        _ => XZ_BITS,
    };
    let (dx, dz) = if class < 4 {
        (reader.get_signed(bits)?, reader.get_signed(bits)?)
    } else {
        (reader.get(bits)? as i32 - x, reader.get(bits)? as i32 - z)
    };
    refuse_if(dx | dz == 0 || xz_class(dx, dz) != class)?;
    to.x = in_range(x + dx, XZ_BITS)?;
    to.z = in_range(z + dz, XZ_BITS)?;
    Ok(())
}

#[inline(always)]
fn put_y(word: &mut Word, writer: &mut BitWriter<'_>, dy: i32, y: u32) {
    if fits_signed(dy, Y_SMALL) {
        word.push_small(dy, Y_SMALL);
        return;
    }
    word.flush(writer);
    if fits_signed(dy, Y_LARGE) {
        writer.put(0b01, 2);
        writer.put_signed(dy, Y_LARGE);
    } else {
        writer.put(0b11 | y << 2, 2 + Y_BITS);
    }
}

fn get_y(reader: &mut BitReader<'_>, from: u32) -> Result<u32, DecodeError> {
    if !reader.get_bit()? {
        let dy = reader.get_signed(Y_SMALL)?;
        refuse_if(dy == 0)?;
        return in_range(from as i32 + dy, Y_BITS);
    }
    if !reader.get_bit()? {
        let dy = reader.get_signed(Y_LARGE)?;
        refuse_if(fits_signed(dy, Y_SMALL))?;
        return in_range(from as i32 + dy, Y_BITS);
    }
    let y = reader.get(Y_BITS)?;
    refuse_if(fits_signed(y as i32 - from as i32, Y_LARGE))?;
    Ok(y)
}

fn get_yaw(reader: &mut BitReader<'_>, from: u16) -> Result<u16, DecodeError> {
    if !reader.get_bit()? {
        let turn = reader.get_signed(YAW_SMALL)?;
        refuse_if(turn == 0)?;
        return Ok(from.wrapping_add((turn * i32::from(ANGLE_STEP)) as u16));
    }
    let yaw = reader.get(YAW_BITS)? as u16 * ANGLE_STEP;
    refuse_if(fits_signed(yaw_turn(from, yaw), YAW_SMALL))?;
    Ok(yaw)
}

fn get_pitch(reader: &mut BitReader<'_>, from: i16) -> Result<i16, DecodeError> {
    let from = pitch_steps(from);
    let small = !reader.get_bit()?;
    let steps = if small {
        from + reader.get_signed(PITCH_SMALL)?
    } else {
        reader.get_signed(PITCH_BITS)?
    };
    refuse_if(steps == from || fits_signed(steps - from, PITCH_SMALL) != small)?;
    if !fits_signed(steps, PITCH_BITS) {
        return Err(DecodeError::OutOfRange);
    }
    Ok(steps as i16 * ANGLE_STEP as i16)
}

/// Whether nothing beyond the hot fields changed: one comparison of adjacent bytes.
#[inline(always)]
fn same_rest(from: &EntityState, to: &EntityState) -> bool {
    from.flags == to.flags
        && from.kind == to.kind
        && from.team == to.team
        && from.class == to.class
        && from.weapon == to.weapon
        && from.health == to.health
        && from.vel == to.vel
        && from.radius_dm == to.radius_dm
}

fn rest_mask(from: &EntityState, to: &EntityState) -> u32 {
    on(from.flags != to.flags, REST_FLAGS)
        | on(from.weapon != to.weapon, REST_WEAPON)
        | on(from.health != to.health, REST_HEALTH)
        | on(from.vel != to.vel, REST_VELOCITY)
        | on(identity(from) != identity(to), REST_IDENTITY)
}

#[inline(never)]
fn put_rest(writer: &mut BitWriter<'_>, rest: u32, to: &EntityState) {
    writer.put(rest, REST_BITS);
    if rest & REST_FLAGS != 0 {
        writer.put(u32::from(to.flags), FLAGS_BITS);
    }
    if rest & REST_WEAPON != 0 {
        writer.put(u32::from(to.weapon), 8);
    }
    if rest & REST_HEALTH != 0 {
        writer.put(u32::from(to.health), HEALTH_BITS);
    }
    if rest & REST_VELOCITY != 0 {
        put_velocity(writer, to);
    }
    if rest & REST_IDENTITY != 0 {
        put_identity(writer, to);
    }
}

fn get_rest(
    reader: &mut BitReader<'_>,
    from: &EntityState,
    to: &mut EntityState,
) -> Result<(), DecodeError> {
    let rest = reader.get(REST_BITS)?;
    if rest & REST_FLAGS != 0 {
        to.flags = reader.get(FLAGS_BITS)? as u16;
    }
    if rest & REST_WEAPON != 0 {
        to.weapon = reader.get(8)? as u8;
    }
    if rest & REST_HEALTH != 0 {
        to.health = reader.get(HEALTH_BITS)? as u8;
    }
    if rest & REST_VELOCITY != 0 {
        to.vel = get_velocity(reader)?;
    }
    if rest & REST_IDENTITY != 0 {
        get_identity(reader, to)?;
    }
    refuse_if(rest == 0 || rest_mask(from, to) != rest)
}

/// Kind, team, class and radius: what hardly ever changes.
#[inline(always)]
fn identity(state: &EntityState) -> u32 {
    u32::from(state.kind)
        | u32::from(state.team) << KIND_BITS
        | u32::from(state.class) << (KIND_BITS + 1)
        | u32::from(state.radius_dm) << (KIND_BITS + 1 + CLASS_BITS)
}

fn put_identity(writer: &mut BitWriter<'_>, state: &EntityState) {
    writer.put(identity(state), IDENTITY_BITS);
}

fn get_identity(reader: &mut BitReader<'_>, to: &mut EntityState) -> Result<(), DecodeError> {
    to.kind = reader.get(KIND_BITS)? as u8;
    to.team = reader.get(1)? as u8;
    to.class = reader.get(CLASS_BITS)? as u8;
    to.radius_dm = reader.get(8)? as u8;
    Ok(())
}

fn put_velocity(writer: &mut BitWriter<'_>, state: &EntityState) {
    for speed in state.vel {
        writer.put_signed(i32::from(speed), 8);
    }
}

fn get_velocity(reader: &mut BitReader<'_>) -> Result<[i8; 3], DecodeError> {
    let mut velocity = [0; 3];
    for speed in &mut velocity {
        *speed = reader.get_signed(8)? as i8;
    }
    Ok(velocity)
}

#[inline(always)]
fn yaw_steps(yaw: u16) -> u32 {
    u32::from(yaw / ANGLE_STEP)
}

#[inline(always)]
fn yaw_turn(from: u16, to: u16) -> i32 {
    i32::from(to.wrapping_sub(from) as i16 / ANGLE_STEP as i16)
}

#[inline(always)]
fn pitch_steps(pitch: i16) -> i32 {
    i32::from(pitch / ANGLE_STEP as i16)
}

#[inline(always)]
fn on(condition: bool, bits: u32) -> u32 {
    if condition { bits } else { 0 }
}

#[inline(always)]
fn in_range(value: i32, bits: u32) -> Result<u32, DecodeError> {
    if value >> bits == 0 { Ok(value as u32) } else { Err(DecodeError::OutOfRange) }
}

#[inline(always)]
fn refuse_if(longer_than_needed: bool) -> Result<(), DecodeError> {
    if longer_than_needed { Err(DecodeError::NotCanonical) } else { Ok(()) }
}
