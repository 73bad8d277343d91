//! What goes into a bot and what comes out: plain data, made from either side of the network.

use sortie_field::{Field, Pitch, Vec3, Yaw};

/// Button bits of [`BotOrder::buttons`]; the same as those of an input command.
pub mod buttons {
    /// Pull the trigger.
    pub const FIRE: u16 = 1 << 0;
    /// Aim down the sights.
    pub const AIM: u16 = 1 << 1;
    /// Jump.
    pub const JUMP: u16 = 1 << 2;
    /// Crouch.
    pub const CROUCH: u16 = 1 << 3;
    /// Sprint.
    pub const SPRINT: u16 = 1 << 4;
    /// Reload.
    pub const RELOAD: u16 = 1 << 5;
    /// Revive, or use the class's gadget.
    pub const USE: u16 = 1 << 6;
    /// Throw a grenade.
    pub const THROW: u16 = 1 << 7;
}

/// What a bot's player knows at a tick.
#[derive(Clone, Copy, Debug)]
pub struct BotView<'a> {
    /// The newest tick it knows of.
    pub tick: u32,
    /// Ticks a second.
    pub tick_hz: u32,
    /// Its own soldier.
    pub me: BotSelf,
    /// Enemies that are shown to it now, in any order.
    pub enemies: &'a [Enemy],
    /// Soldiers of its team nearby, without itself, in any order.
    pub mates: &'a [Mate],
    /// Capture points in the map's order; empty when there is nothing to capture.
    pub points: &'a [Point],
    /// The battlefield.
    pub field: &'a Field,
}

/// A bot's own soldier.
#[derive(Clone, Copy, Debug)]
pub struct BotSelf {
    /// Alive, down or waiting.
    pub status: BotStatus,
    /// 0 or 1.
    pub team: u8,
    /// Its class.
    pub class: BotClass,
    /// The feet, metres.
    pub pos: Vec3,
    /// Metres a second.
    pub vel: Vec3,
    /// Where it looks from, metres.
    pub eye: Vec3,
    /// Where it looks.
    pub yaw: Yaw,
    /// Where it looks.
    pub pitch: Pitch,
    /// Hit points, 0 to 100.
    pub health_hp: u8,
    /// Rounds in the magazine of the weapon in hand.
    pub ammo: u16,
    /// Rounds in reserve for it.
    pub reserve: u16,
    /// Grenades left.
    pub grenades: u8,
    /// Is reloading.
    pub reloading: bool,
    /// Which weapon is in hand: 0 primary, 1 sidearm, 2 gadget.
    pub weapon_slot: u8,
    /// What the weapon in hand can do.
    pub weapon: BotWeapon,
}

/// Where a bot stands between life and death.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BotStatus {
    /// Not in the field.
    #[default]
    Waiting,
    /// Fighting.
    Alive,
    /// Can be revived, cannot act.
    Down,
}

/// The four classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BotClass {
    /// Rifle and grenades.
    #[default]
    Assault,
    /// Heals and revives.
    Medic,
    /// Brings ammunition.
    Support,
    /// Sees far.
    Recon,
}

impl BotClass {
    /// The class of a number, modulo 4.
    pub fn from_index(index: u8) -> Self {
        [Self::Assault, Self::Medic, Self::Support, Self::Recon][usize::from(index % 4)]
    }

    /// 0 to 3, in the order of the variants.
    pub fn index(self) -> u8 {
        self as u8
    }
}

/// What bots must know of a weapon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BotWeapon {
    /// Beyond this it is no use, metres.
    pub reach_m: f32,
    /// Fires on while the trigger is held.
    pub automatic: bool,
    /// Speed of its projectile, m/s; 0 for hitscan.
    pub muzzle_mps: f32,
    /// Speed of a thrown grenade, m/s.
    pub throw_mps: f32,
    /// Downward acceleration of a thrown grenade, m/s².
    pub throw_gravity_mps2: f32,
}

impl Default for BotWeapon {
    /// A rifle.
    fn default() -> Self {
        Self {
            reach_m: 120.0,
            automatic: true,
            muzzle_mps: 0.0,
            throw_mps: 18.0,
            throw_gravity_mps2: 19.6,
        }
    }
}

/// An enemy that the player sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Enemy {
    /// Its entity id.
    pub id: u32,
    /// The feet, metres.
    pub pos: Vec3,
    /// Metres a second.
    pub vel: Vec3,
    /// Is crouched.
    pub crouched: bool,
}

/// A soldier of the same team.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mate {
    /// Its entity id.
    pub id: u32,
    /// The feet, metres.
    pub pos: Vec3,
    /// Lies down and can be revived.
    pub down: bool,
    /// Hit points, 0 to 100, as far as known.
    pub health_hp: u8,
    /// Is of the same squad.
    pub in_squad: bool,
}

/// A capture point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Its middle on the ground, metres.
    pub pos: Vec3,
    /// Horizontal radius, metres.
    pub radius_m: f32,
    /// The team that owns it.
    pub owner: Option<u8>,
    /// Both teams are inside.
    pub contested: bool,
}

/// What a bot does in a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BotOrder {
    /// Sideways, -127 to 127.
    pub move_right: i8,
    /// Along the view, -127 to 127.
    pub move_forward: i8,
    /// Where it looks, [`Yaw`] units.
    pub yaw: u16,
    /// Where it looks, [`Pitch`] units.
    pub pitch: i16,
    /// Held buttons, bits of [`buttons`].
    pub buttons: u16,
    /// Weapon wanted in hand: 0 primary, 1 sidearm, 2 gadget.
    pub weapon_slot: u8,
    /// Something to ask for on the reliable stream.
    pub request: Option<BotRequest>,
}

/// What a bot may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BotRequest {
    /// Come into the battle.
    Spawn {
        /// Base, captured point or squad mate to come in at.
        at: SpawnChoice,
        /// Class of the soldier from this life on.
        class: BotClass,
    },
    /// Stop waiting for a medic.
    GiveUp,
    /// Join a squad.
    JoinSquad,
    /// Mark the enemy in view.
    Spot,
}

/// Where to come into the battle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnChoice {
    /// The own base.
    Base,
    /// A point, by its place in [`BotView::points`].
    Point(u8),
    /// Beside a squad mate.
    Squad,
}

impl BotView<'_> {
    /// Ticks in a time.
    pub(super) fn ticks(&self, seconds: f32) -> u32 {
        (seconds * self.tick_hz as f32) as u32
    }

    /// The tick after a time from now.
    pub(super) fn after_s(&self, seconds: f32) -> u32 {
        self.tick + self.ticks(seconds)
    }
}

/// Horizontal distance, metres.
pub(super) fn apart_m(a: Vec3, b: Vec3) -> f32 {
    let (dx, dz) = (a.x - b.x, a.z - b.z);
    (dx * dx + dz * dz).sqrt()
}
