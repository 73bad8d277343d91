//! What happened in a tick: past facts for the kill feed, the scoreboard, sounds and reports.

use sortie_field::Vec3;

use crate::id::{EntityId, PlayerSlot, PointId, Team, Tick, WeaponId};

/// What [`step`](crate::battle::Battle::step) gives back; its buffers are reused.
#[derive(Clone, Debug, Default)]
pub struct TickOutput {
    /// The tick that was stepped.
    pub tick: Tick,
    /// Facts in the order in which they happened.
    pub events: Vec<Event>,
    /// What the tick cost and how it was divided.
    pub report: TickReport,
}

/// Deterministic cost figures of a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TickReport {
    /// Regions after the tick.
    pub regions: u32,
    /// Regions split in this tick.
    pub splits: u32,
    /// Pairs of regions merged in this tick.
    pub merges: u32,
    /// Work units of the busiest region.
    pub load_max: u32,
    /// Work units of all regions.
    pub load_sum: u32,
}

/// A fact about one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A soldier came into the field.
    Spawned {
        /// Who.
        player: PlayerSlot,
        /// Where.
        pos: Vec3,
    },
    /// A trigger was pulled and a round left.
    Shot {
        /// Who fired.
        shooter: PlayerSlot,
        /// With what.
        weapon: WeaponId,
        /// From where.
        origin: Vec3,
        /// Where the first pellet's ray ended (hitscan), or the muzzle direction's end.
        end: Vec3,
    },
    /// Something exploded.
    Exploded {
        /// What.
        id: EntityId,
        /// Where.
        pos: Vec3,
    },
    /// A soldier was hurt. One hit, one event.
    Hit {
        /// By whom (the victim itself for falls and own grenades).
        shooter: PlayerSlot,
        /// Who.
        victim: PlayerSlot,
        /// Hit points taken.
        damage_hp: u16,
        /// Into the head.
        headshot: bool,
    },
    /// A soldier went down, or died at once when nobody could have revived it.
    Downed {
        /// Who.
        victim: PlayerSlot,
        /// By whom; `None` for a fall, the border or leaving.
        killer: Option<PlayerSlot>,
        /// With what.
        weapon: Option<WeaponId>,
        /// By a shot into the head.
        headshot: bool,
    },
    /// A death became final.
    Died {
        /// Who.
        victim: PlayerSlot,
    },
    /// A downed soldier was helped up.
    Revived {
        /// Who.
        victim: PlayerSlot,
        /// By whom.
        medic: PlayerSlot,
    },
    /// A point changed hands.
    PointOwner {
        /// Which.
        point: PointId,
        /// To whom; `None`: neutral.
        owner: Option<Team>,
    },
    /// A player joined.
    Joined {
        /// Who.
        player: PlayerSlot,
        /// On which side.
        team: Team,
    },
    /// A player left for good.
    Left {
        /// Who.
        player: PlayerSlot,
    },
    /// The round is over.
    RoundEnded {
        /// Who won; `None`: a draw.
        winner: Option<Team>,
    },
    /// The next round of the battle begins; the first has no such event.
    RoundBegan {
        /// Rounds before it.
        before: u32,
    },
}
