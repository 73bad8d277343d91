//! The own soldier's block.
//!
//! ```text
//!   2  status            3  class
//!   1  1: a body follows, 0: all of it is zero
//!      96  position x, y, z as IEEE 754 single precision, bit for bit
//!       1  1: 32 bits of velocity x follow, 0: +0.0;   the same for y and z
//!       1  1: 32 bits of "fall from" follow, 0: equal to position y
//!       1  crouched      1  grounded      1  jump held
//!   1  1: an inventory follows, 0: all of it is zero
//!       1  aiming        1  reloading     7  health     8  weapon     2  weapon slot
//!      10  ammunition   12  reserve       4  grenades
//!   1  1: 12 bits of squad follow     1  1: 5 bits of order follow
//!   1  1: 32 bits of the spawn wave's tick follow
//! ```

use crate::{
    bits::{BitReader, BitWriter},
    error::DecodeError,
    state::SelfState,
};

const STATUS_BITS: u32 = 2;
const CLASS_BITS: u32 = 3;
const HEALTH_BITS: u32 = 7;
const WEAPON_BITS: u32 = 8;
const SLOT_BITS: u32 = 2;
const AMMO_BITS: u32 = 10;
const RESERVE_BITS: u32 = 12;
const GRENADE_BITS: u32 = 4;
const SQUAD_BITS: u32 = 12;
const ORDER_BITS: u32 = 5;

/// Writes the block. Counts above their range are written as its end.
pub(super) fn put_own(writer: &mut BitWriter<'_>, own: &SelfState) {
    put_capped(writer, own.status.into(), STATUS_BITS);
    put_capped(writer, own.class.into(), CLASS_BITS);
    let body = has_body(own);
    writer.put_bit(body);
    if body {
        put_body(writer, own);
    }
    let inventory = has_inventory(own);
    writer.put_bit(inventory);
    if inventory {
        put_inventory(writer, own);
    }
    put_option(writer, own.squad.map(u32::from), SQUAD_BITS);
    put_option(writer, own.order.map(u32::from), ORDER_BITS);
    put_option(writer, own.spawns_at, 32);
}

/// Reads the block.
pub(super) fn get_own(reader: &mut BitReader<'_>) -> Result<SelfState, DecodeError> {
    let mut own = SelfState {
        status: reader.get(STATUS_BITS)? as u8,
        class: reader.get(CLASS_BITS)? as u8,
        ..SelfState::default()
    };
    if reader.get_bit()? {
        get_body(reader, &mut own)?;
    }
    if reader.get_bit()? {
        get_inventory(reader, &mut own)?;
    }
    own.squad = get_option(reader, SQUAD_BITS)?.map(|squad| squad as u16);
    own.order = get_option(reader, ORDER_BITS)?.map(|order| order as u8);
    own.spawns_at = get_option(reader, 32)?;
    Ok(own)
}

fn has_body(own: &SelfState) -> bool {
    let [x, y, z] = own.pos.map(f32::to_bits);
    let [vx, vy, vz] = own.vel.map(f32::to_bits);
    (x | y | z | vx | vy | vz | own.fall_from_y.to_bits()) != 0
        || own.crouched
        || own.grounded
        || own.jump_held
}

fn put_body(writer: &mut BitWriter<'_>, own: &SelfState) {
    for coordinate in own.pos {
        writer.put(coordinate.to_bits(), 32);
    }
    for speed in own.vel {
        writer.put_bit(speed.to_bits() != 0);
        if speed.to_bits() != 0 {
            writer.put(speed.to_bits(), 32);
        }
    }
    let falls = own.fall_from_y.to_bits() != own.pos[1].to_bits();
    writer.put_bit(falls);
    if falls {
        writer.put(own.fall_from_y.to_bits(), 32);
    }
    for bit in [own.crouched, own.grounded, own.jump_held] {
        writer.put_bit(bit);
    }
}

fn get_body(reader: &mut BitReader<'_>, own: &mut SelfState) -> Result<(), DecodeError> {
    for coordinate in &mut own.pos {
        *coordinate = get_float(reader)?;
    }
    for speed in &mut own.vel {
        if reader.get_bit()? {
            *speed = get_float(reader)?;
            refuse_if(speed.to_bits() == 0)?;
        }
    }
    own.fall_from_y = own.pos[1];
    if reader.get_bit()? {
        own.fall_from_y = get_float(reader)?;
        refuse_if(own.fall_from_y.to_bits() == own.pos[1].to_bits())?;
    }
    own.crouched = reader.get_bit()?;
    own.grounded = reader.get_bit()?;
    own.jump_held = reader.get_bit()?;
    refuse_if(!has_body(own))
}

fn has_inventory(own: &SelfState) -> bool {
    own.aiming
        || own.reloading
        || (own.health_hp | own.weapon | own.weapon_slot | own.grenades) != 0
        || (own.ammo | own.reserve) != 0
}

fn put_inventory(writer: &mut BitWriter<'_>, own: &SelfState) {
    writer.put_bit(own.aiming);
    writer.put_bit(own.reloading);
    put_capped(writer, own.health_hp.into(), HEALTH_BITS);
    put_capped(writer, own.weapon.into(), WEAPON_BITS);
    put_capped(writer, own.weapon_slot.into(), SLOT_BITS);
    put_capped(writer, own.ammo.into(), AMMO_BITS);
    put_capped(writer, own.reserve.into(), RESERVE_BITS);
    put_capped(writer, own.grenades.into(), GRENADE_BITS);
}

fn get_inventory(reader: &mut BitReader<'_>, own: &mut SelfState) -> Result<(), DecodeError> {
    own.aiming = reader.get_bit()?;
    own.reloading = reader.get_bit()?;
    own.health_hp = reader.get(HEALTH_BITS)? as u8;
    own.weapon = reader.get(WEAPON_BITS)? as u8;
    own.weapon_slot = reader.get(SLOT_BITS)? as u8;
    own.ammo = reader.get(AMMO_BITS)? as u16;
    own.reserve = reader.get(RESERVE_BITS)? as u16;
    own.grenades = reader.get(GRENADE_BITS)? as u8;
    refuse_if(!has_inventory(own))
}

fn put_capped(writer: &mut BitWriter<'_>, value: u32, bits: u32) {
    writer.put(value.min((1 << bits) - 1), bits);
}

fn put_option(writer: &mut BitWriter<'_>, value: Option<u32>, bits: u32) {
    writer.put_bit(value.is_some());
    if let Some(value) = value {
        writer.put(value.min(u32::MAX >> (32 - bits)), bits);
    }
}

fn get_option(reader: &mut BitReader<'_>, bits: u32) -> Result<Option<u32>, DecodeError> {
    if reader.get_bit()? { reader.get(bits).map(Some) } else { Ok(None) }
}

fn get_float(reader: &mut BitReader<'_>) -> Result<f32, DecodeError> {
    let number = f32::from_bits(reader.get(32)?);
    if number.is_finite() { Ok(number) } else { Err(DecodeError::NotFinite) }
}

fn refuse_if(longer_than_needed: bool) -> Result<(), DecodeError> {
    if longer_than_needed { Err(DecodeError::NotCanonical) } else { Ok(()) }
}
