//! What may enter a tick.
//!
//! Commands of one tick are sorted by player slot; within a slot they apply in the given order.
//! Every field may come from a stranger: the simulation clamps or ignores, it never fails.

mod codec;

use sortie_field::{Pitch, Yaw};

pub use codec::{COMMAND_BYTES_MAX, CommandDecodeError, decode_command, encode_command};

use crate::id::{Class, PlayerKey, PlayerSlot, PointId, Team, Tick};

/// One thing one player does in one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Who does it.
    pub player: PlayerSlot,
    /// What is done.
    pub action: Action,
}

/// What a player, or the server on a player's behalf, can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The player takes the slot. A slot already taken keeps its player; the command is ignored.
    Join {
        /// The account behind the player.
        key: PlayerKey,
        /// The side asked for; `None` lets balance decide.
        team: Option<Team>,
        /// Class for the first spawn.
        class: Class,
    },
    /// The player leaves for good; the slot stays taken. A soldier in the field dies: by the enemy
    /// that hurt it last, when that was lately.
    Leave,
    /// The intent for this tick. At most one counts per tick, the last.
    Input(Input),
    /// Asks to come (back) into the battle at the next spawn wave.
    Spawn {
        /// Base, captured point or squad mate to come in at.
        at: SpawnAt,
        /// Class of the soldier from this life on.
        class: Class,
    },
    /// A downed soldier stops waiting for a medic.
    GiveUp,
    /// Joins the lowest squad with room in the own team, leaving the present one.
    JoinSquad,
    /// Leaves the squad.
    LeaveSquad,
    /// The squad leader names the point to attack or defend.
    SquadOrder(PointId),
    /// Marks the enemy nearest to the view direction for the team, if it can be seen.
    Spot,
    /// The player was lost and did not come back: as [`Leave`](Self::Leave), and what counts as
    /// lately is counted from when it was last there.
    Lapse {
        /// When that was; not after the present tick.
        since: Tick,
    },
}

/// Where a soldier comes into the battle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpawnAt {
    /// The team's base.
    #[default]
    Base,
    /// A captured point; falls back to the base when the team does not own it.
    Point(PointId),
    /// Beside a living squad mate who has not been hit for 5 s; falls back to the base.
    Squad,
}

/// A player's intent for one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Sideways, -127 (left) to 127 (right), relative to the view.
    pub move_right: i8,
    /// Along the view, -127 (backward) to 127 (forward).
    pub move_forward: i8,
    /// Where the player looks.
    pub yaw: Yaw,
    /// Where the player looks; clamped to ±89 degrees.
    pub pitch: Pitch,
    /// Held buttons.
    pub buttons: Buttons,
    /// Weapon wanted in hand: 0 primary, 1 sidearm, 2 gadget. Others are ignored.
    pub weapon_slot: u8,
    /// The tick that the player saw when it gave this input; shots rewind to it, within the cap.
    pub view_tick: Tick,
}

/// Held buttons as bits. Unknown bits are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buttons(pub u16);

impl Buttons {
    /// Pull the trigger.
    pub const FIRE: Self = Self(1 << 0);
    /// Aim down the sights.
    pub const AIM: Self = Self(1 << 1);
    /// Jump.
    pub const JUMP: Self = Self(1 << 2);
    /// Crouch while held.
    pub const CROUCH: Self = Self(1 << 3);
    /// Sprint while held.
    pub const SPRINT: Self = Self(1 << 4);
    /// Reload the weapon in hand.
    pub const RELOAD: Self = Self(1 << 5);
    /// Revive a downed mate in reach while held; else use the class's gadget.
    pub const USE: Self = Self(1 << 6);
    /// Throw a grenade.
    pub const THROW: Self = Self(1 << 7);
    /// Strike with the weapon.
    pub const MELEE: Self = Self(1 << 8);
    /// All known bits.
    pub const ALL: Self = Self((1 << 9) - 1);

    /// Whether every bit of `other` is held.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other` held too.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
