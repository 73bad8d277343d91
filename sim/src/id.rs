//! Names that are stable on the wire and in the journal. bevy's `Entity` never leaves the world.

/// One fixed step of the battle, counted from 0. At 128 Hz it lasts over a year without wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tick(pub u32);

/// A player's place in the battle, dense from 0. It stays with the player for the whole battle,
/// through deaths and reconnects, and is never given to another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlayerSlot(pub u16);

/// Who a player is outside the battle (an account), opaque to the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlayerKey(pub u128);

/// Anything that a client may be told about. A soldier's id is its player's slot; props
/// (projectiles, grenades, smoke, sensors, kits) count up from [`EntityId::FIRST_PROP`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityId(pub u32);

impl EntityId {
    /// Ids below this are soldiers.
    pub const FIRST_PROP: Self = Self(1 << 13);
}

impl From<PlayerSlot> for EntityId {
    fn from(slot: PlayerSlot) -> Self {
        Self(u32::from(slot.0))
    }
}

/// Most players a battle can hold: soldiers' ids end where props' begin.
pub const PLAYERS_MAX: usize = 1 << 13;

/// One of the two sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Team {
    /// Spawns at the map's first base.
    #[default]
    Red = 0,
    /// Spawns at the map's second base.
    Blue = 1,
}

impl Team {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Red, Self::Blue];

    /// The side that this one fights.
    pub fn other(self) -> Self {
        match self {
            Self::Red => Self::Blue,
            Self::Blue => Self::Red,
        }
    }

    /// 0 or 1, for arrays of two.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The team of a number from outside.
    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }
}

/// A squad within its team, dense from 0 per team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SquadId(pub u16);

/// A row of the configuration's weapon table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WeaponId(pub u8);

/// A capture point's place on the map: 0 is A.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PointId(pub u8);

/// What a soldier carries and may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Rifle and fragmentation grenades.
    #[default]
    Assault = 0,
    /// Submachine gun, medkits, fast revive.
    Medic = 1,
    /// Machine gun, ammunition boxes, smoke.
    Support = 2,
    /// Sniper rifle and motion sensor.
    Recon = 3,
}

impl Class {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Assault, Self::Medic, Self::Support, Self::Recon];

    /// The class of a number from outside.
    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }
}
