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
    let body = has_body(own);
    let mut fields = Fields::default();
    fields.push(capped(own.status.into(), STATUS_BITS), STATUS_BITS);
    fields.push(capped(own.class.into(), CLASS_BITS), CLASS_BITS);
    fields.push(body.into(), 1);
    fields.put(writer);
    if body {
        put_body(writer, own);
    }
    let inventory = has_inventory(own);
    let mut fields = Fields::default();
    fields.push(inventory.into(), 1);
    if inventory {
        push_inventory(&mut fields, own);
    }
    fields.put(writer);
    let mut fields = Fields::default();
    fields.push_option(own.squad.map(u32::from), SQUAD_BITS);
    fields.push_option(own.order.map(u32::from), ORDER_BITS);
    fields.push_option(own.spawns_at, 32);
    fields.put(writer);
}

/// Neighbouring fields on their way into a writer, which takes them in one store.
#[derive(Default)]
struct Fields {
    bits: u64,
    len: u32,
}

impl Fields {
    #[inline(always)]
    fn push(&mut self, value: u32, bits: u32) {
        self.bits |= u64::from(value) << self.len;
        self.len += bits;
    }

    #[inline(always)]
    fn push_option(&mut self, value: Option<u32>, bits: u32) {
        self.push(value.is_some().into(), 1);
        if let Some(value) = value {
            self.push(value.min(u32::MAX >> (32 - bits)), bits);
        }
    }

    #[inline(always)]
    fn put(self, writer: &mut BitWriter<'_>) {
        writer.put_wide(self.bits, self.len);
    }
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
        let moves = u64::from(speed.to_bits() != 0);
        writer.put_wide(moves | u64::from(speed.to_bits()) << 1, 1 + 32 * moves as u32);
    }
    let falls = own.fall_from_y.to_bits() != own.pos[1].to_bits();
    writer.put_bit(falls);
    if falls {
        writer.put(own.fall_from_y.to_bits(), 32);
    }
    let stance = [own.crouched, own.grounded, own.jump_held].map(u32::from);
    writer.put(stance[0] | stance[1] << 1 | stance[2] << 2, 3);
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

fn push_inventory(fields: &mut Fields, own: &SelfState) {
    fields.push(own.aiming.into(), 1);
    fields.push(own.reloading.into(), 1);
    fields.push(capped(own.health_hp.into(), HEALTH_BITS), HEALTH_BITS);
    fields.push(capped(own.weapon.into(), WEAPON_BITS), WEAPON_BITS);
    fields.push(capped(own.weapon_slot.into(), SLOT_BITS), SLOT_BITS);
    fields.push(capped(own.ammo.into(), AMMO_BITS), AMMO_BITS);
    fields.push(capped(own.reserve.into(), RESERVE_BITS), RESERVE_BITS);
    fields.push(capped(own.grenades.into(), GRENADE_BITS), GRENADE_BITS);
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

fn capped(value: u32, bits: u32) -> u32 {
    value.min((1 << bits) - 1)
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
