//! One entity: its whole state, or its difference to where it is expected.
//!
//! A delta starts with the set of parts that differ, in a prefix code; hot parts come first:
//!
//! ```text
//!  parts  0                x z and yaw          110 + 2 bits  x z, y and yaw · x z, y, yaw and
//!         10 + 2 bits      x z, yaw and pitch                 pitch · yaw and pitch · none
//!                          · x z · yaw · x z    111 + 5 bits  any other set:
//!                          and y                              x z | y | yaw | pitch | rest
//!  x z    residual of x, residual of z, not both 0        escape: 19 bits
//!  y      residual, not 0                                 escape: 17 bits
//!  yaw    residual in steps, the shorter way, not 0       escape: 10 bits, steps
//!  pitch  residual in steps, not 0; scale 2               escape: 9 bits, signed steps
//!  rest   5 bits  flags (12) | weapon (8) | health (4) | velocity (3 * 8) | identity (16)
//! ```
//! Residuals are coded as `residual.rs` says. The shortest form that holds the change is the only
//! one allowed.

use super::{
    motion::turn,
    residual::{Number, Put, get_residual, is_escaped, put_residual},
};
use crate::{
    bits::{BitReader, BitWriter, WIDE_BITS_MAX, fits_signed},
    error::DecodeError,
    state::{
        ANGLE_STEP, CLASS_BITS, EntityState, FLAGS_BITS, HEALTH_BITS, KIND_BITS, PITCH_BITS,
        XZ_BITS, Y_BITS, YAW_BITS,
    },
};

const PART_XZ: u32 = 1 << 0;
const PART_Y: u32 = 1 << 1;
const PART_YAW: u32 = 1 << 2;
const PART_PITCH: u32 = 1 << 3;
const PART_REST: u32 = 1 << 4;
const PARTS_BITS: u32 = 5;

/// What most deltas of soldiers are about.
const COMMON: u32 = PART_XZ | PART_YAW;

/// Sets behind `10`, then those behind `110`.
const FREQUENT: [u32; 8] = [
    PART_XZ | PART_YAW | PART_PITCH,
    PART_XZ,
    PART_YAW,
    PART_XZ | PART_Y,
    PART_XZ | PART_Y | PART_YAW,
    PART_XZ | PART_Y | PART_YAW | PART_PITCH,
    PART_YAW | PART_PITCH,
    0,
];

/// For each set its code and the code's length.
const PARTS_CODES: [(u32, u32); 32] = parts_codes();

const REST_BITS: u32 = 5;
const REST_FLAGS: u32 = 1 << 0;
const REST_WEAPON: u32 = 1 << 1;
const REST_HEALTH: u32 = 1 << 2;
const REST_VELOCITY: u32 = 1 << 3;
const REST_IDENTITY: u32 = 1 << 4;

const PITCH_SCALE: u32 = 2;
const IDENTITY_BITS: u32 = KIND_BITS + 1 + CLASS_BITS + 8;

/// How large residuals are expected to be: scales of their codes, 0 to 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// Of x, y and z in centimetres.
    pub place: u8,
    /// Of the yaw in steps.
    pub turn: u8,
}

/// What a record says behind its skip when it is a delta, ready to be written for any number of
/// clients. At most 46 bits, so that a short skip before it fits into the same store.
///
/// A *common* delta, of x z and yaw, has a shorter record when nobody is passed over before it; its
/// code holds the fields alone, all others begin with the action and the parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeltaCode(u64);

/// Where a [`DeltaCode`] keeps its length; below are its bits, the first one lowest.
const LEN_AT: u32 = 56;
/// Where it says that it is a common one.
const COMMON_AT: u32 = 63;
/// What all records but common deltas behind nobody begin with.
pub(super) const GENERAL_BITS: u32 = 1;
/// Action and parts of a common delta where it is not the shorter record: zeros.
pub(super) const COMMON_HEAD_BITS: u32 = 2;

impl DeltaCode {
    /// Bits of a code, most.
    pub const BITS_MAX: u32 = WIDE_BITS_MAX - 8 - GENERAL_BITS - COMMON_HEAD_BITS + 1;

    /// The code of an entity that was expected at `expected` and is `to`; `None` when it is longer
    /// than [`Self::BITS_MAX`], which only escapes and rare fields make it.
    #[inline]
    pub fn new(expected: &EntityState, to: &EntityState, scale: Scale) -> Option<Self> {
        let differences = Differences::new(expected, to);
        let is_common = differences.is_common();
        // The action bit is 0.
        let mut word = Word { bits: 0, len: u32::from(!is_common) };
        if !is_common {
            differences.put_parts(&mut word);
        }
        differences.put_fields(&mut word, to, scale);
        let packed = word.bits | u64::from(word.len) << LEN_AT;
        (word.len <= Self::BITS_MAX).then_some(Self(packed | u64::from(is_common) << COMMON_AT))
    }

    /// The first bit lowest.
    #[inline(always)]
    pub fn bits(self) -> u64 {
        self.0 & ((1 << LEN_AT) - 1)
    }

    /// How many bits.
    #[inline(always)]
    pub fn len(self) -> u32 {
        (self.0 >> LEN_AT) as u32 & 0x7F
    }

    /// Whether it holds nothing but the fields of x z and yaw.
    #[inline(always)]
    pub fn is_common(self) -> bool {
        self.0 >> COMMON_AT != 0
    }

    /// Whether there is no code.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Bits on their way into a code. Those beyond the word's end are counted and lost.
struct Word {
    bits: u64,
    len: u32,
}

impl Put for Word {
    #[inline(always)]
    fn put(&mut self, value: u32, bits: u32) {
        self.bits |= u64::from(value).checked_shl(self.len).unwrap_or_default();
        self.len += bits;
    }
}

const fn parts_codes() -> [(u32, u32); 32] {
    let mut codes = [(0, 0); 32];
    let mut parts = 0;
    while parts < 32 {
        codes[parts as usize] = (0b111 | parts << 3, 3 + PARTS_BITS);
        parts += 1;
    }
    let mut at = 0;
    while at < 4 {
        codes[FREQUENT[at as usize] as usize] = (0b01 | at << 2, 4);
        codes[FREQUENT[4 + at as usize] as usize] = (0b011 | at << 3, 5);
        at += 1;
    }
    codes[COMMON as usize] = (0, 1);
    codes
}

fn get_parts(reader: &mut BitReader<'_>) -> Result<u32, DecodeError> {
    let parts = match reader.get_unary(3)? {
        0 => return Ok(COMMON),
        1 => FREQUENT[reader.get(2)? as usize],
        2 => FREQUENT[4 + reader.get(2)? as usize],
        _ => {
            let parts = reader.get(PARTS_BITS)?;
            refuse_if(PARTS_CODES[parts as usize].1 != 3 + PARTS_BITS)?;
            parts
        }
    };
    Ok(parts)
}

/// How a state differs from where it is expected; both on the wire's grid.
pub(super) struct Differences {
    parts: u32,
    dx: i32,
    dy: i32,
    dz: i32,
    turned: i32,
    tilted: i32,
    rest: u32,
}

impl Differences {
    #[inline(always)]
    pub(super) fn new(expected: &EntityState, to: &EntityState) -> Self {
        let dx = to.x as i32 - expected.x as i32;
        let dy = to.y as i32 - expected.y as i32;
        let dz = to.z as i32 - expected.z as i32;
        let turned = turn(expected.yaw, to.yaw);
        let tilted = pitch_steps(to.pitch) - pitch_steps(expected.pitch);
        let rest = if same_rest(expected, to) { 0 } else { rest_mask(expected, to) };
        let parts = on(dx | dz != 0, PART_XZ)
            | on(dy != 0, PART_Y)
            | on(turned != 0, PART_YAW)
            | on(tilted != 0, PART_PITCH)
            | on(rest != 0, PART_REST);
        Self { parts, dx, dy, dz, turned, tilted, rest }
    }

    /// Whether x z and yaw differ and nothing else.
    #[inline(always)]
    pub(super) fn is_common(&self) -> bool {
        self.parts == COMMON
    }

    /// Writes which parts differ.
    #[inline(always)]
    pub(super) fn put_parts(&self, sink: &mut impl Put) {
        let (code, code_bits) = PARTS_CODES[self.parts as usize];
        sink.put(code, code_bits);
    }

    /// Writes these parts.
    #[inline(always)]
    pub(super) fn put_fields(&self, sink: &mut impl Put, to: &EntityState, scale: Scale) {
        let (place, turning) = (u32::from(scale.place), u32::from(scale.turn));
        if self.parts & PART_XZ != 0 {
            put_residual(sink, self.dx, place, (to.x, XZ_BITS));
            put_residual(sink, self.dz, place, (to.z, XZ_BITS));
        }
        if self.dy != 0 {
            put_residual(sink, self.dy, place, (to.y, Y_BITS));
        }
        if self.turned != 0 {
            put_residual(sink, self.turned, turning, (yaw_steps(to.yaw), YAW_BITS));
        }
        if self.tilted != 0 {
            let value = pitch_steps(to.pitch) as u32 & ((1 << PITCH_BITS) - 1);
            put_residual(sink, self.tilted, PITCH_SCALE, (value, PITCH_BITS));
        }
        if self.rest != 0 {
            put_rest(sink, self.rest, to);
        }
    }
}

/// Reads a delta of x z and yaw without its parts.
#[inline]
pub(super) fn get_common(
    reader: &mut BitReader<'_>,
    expected: &EntityState,
    scale: Scale,
) -> Result<EntityState, DecodeError> {
    get_fields(reader, COMMON, expected, scale)
}

/// Reads the parts of a delta and their fields; `behind_nobody`: a common one has a shorter record.
#[inline]
pub(super) fn get_delta(
    reader: &mut BitReader<'_>,
    expected: &EntityState,
    scale: Scale,
    behind_nobody: bool,
) -> Result<EntityState, DecodeError> {
    let parts = get_parts(reader)?;
    refuse_if(parts == COMMON && behind_nobody)?;
    get_fields(reader, parts, expected, scale)
}

#[inline(always)]
fn get_fields(
    reader: &mut BitReader<'_>,
    parts: u32,
    expected: &EntityState,
    scale: Scale,
) -> Result<EntityState, DecodeError> {
    let (place, turning) = (u32::from(scale.place), u32::from(scale.turn));
    let mut to = *expected;
    if parts & PART_XZ != 0 {
        to.x = get_coordinate(reader, expected.x, place, XZ_BITS)?;
        to.z = get_coordinate(reader, expected.z, place, XZ_BITS)?;
        refuse_if(to.x == expected.x && to.z == expected.z)?;
    }
    if parts & PART_Y != 0 {
        to.y = get_coordinate(reader, expected.y, place, Y_BITS)?;
        refuse_if(to.y == expected.y)?;
    }
    if parts & PART_YAW != 0 {
        to.yaw = get_yaw(reader, expected.yaw, turning)?;
    }
    if parts & PART_PITCH != 0 {
        to.pitch = get_pitch(reader, expected.pitch)?;
    }
    if parts & PART_REST != 0 {
        get_rest(reader, expected, &mut to)?;
    }
    Ok(to)
}

#[inline(always)]
fn get_coordinate(
    reader: &mut BitReader<'_>,
    expected: u32,
    scale: u32,
    bits: u32,
) -> Result<u32, DecodeError> {
    match get_residual(reader, scale, bits)? {
        Number::Residual(residual) => in_range(expected as i32 + residual, bits),
        Number::Value(value) => {
            refuse_if(!is_escaped(value as i32 - expected as i32, scale))?;
            Ok(value)
        }
    }
}

fn get_yaw(reader: &mut BitReader<'_>, expected: u16, scale: u32) -> Result<u16, DecodeError> {
    match get_residual(reader, scale, YAW_BITS)? {
        Number::Residual(residual) => {
            let half = 1 << (YAW_BITS - 1);
            refuse_if(residual == 0 || !(-half..half).contains(&residual))?;
            Ok(expected.wrapping_add((residual * i32::from(ANGLE_STEP)) as u16))
        }
        Number::Value(steps) => {
            let yaw = steps as u16 * ANGLE_STEP;
            refuse_if(!is_escaped(turn(expected, yaw), scale))?;
            Ok(yaw)
        }
    }
}

fn get_pitch(reader: &mut BitReader<'_>, expected: i16) -> Result<i16, DecodeError> {
    let expected = pitch_steps(expected);
    let steps = match get_residual(reader, PITCH_SCALE, PITCH_BITS)? {
        Number::Residual(residual) => expected + residual,
        Number::Value(value) => {
            let unused = 32 - PITCH_BITS;
            let steps = (value << unused) as i32 >> unused;
            refuse_if(!is_escaped(steps - expected, PITCH_SCALE))?;
            steps
        }
    };
    refuse_if(steps == expected)?;
    if !fits_signed(steps, PITCH_BITS) {
        return Err(DecodeError::OutOfRange);
    }
    Ok(steps as i16 * ANGLE_STEP as i16)
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
fn put_rest(writer: &mut impl Put, rest: u32, to: &EntityState) {
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

fn put_identity(writer: &mut impl Put, state: &EntityState) {
    writer.put(identity(state), IDENTITY_BITS);
}

fn get_identity(reader: &mut BitReader<'_>, to: &mut EntityState) -> Result<(), DecodeError> {
    to.kind = reader.get(KIND_BITS)? as u8;
    to.team = reader.get(1)? as u8;
    to.class = reader.get(CLASS_BITS)? as u8;
    to.radius_dm = reader.get(8)? as u8;
    Ok(())
}

fn put_velocity(writer: &mut impl Put, state: &EntityState) {
    for speed in state.vel {
        writer.put(u32::from(speed as u8), 8);
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
