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
        /// The player whose soldier it is.
        player: PlayerSlot,
        /// Its feet, in metres.
        pos: Vec3,
    },
    /// A trigger was pulled and a round left.
    Shot {
        /// Who fired.
        shooter: PlayerSlot,
        /// The weapon that was fired.
        weapon: WeaponId,
        /// The muzzle, in metres.
        origin: Vec3,
        /// Where the first pellet's ray ended (hitscan), or the muzzle direction's end.
        end: Vec3,
    },
    /// Something exploded.
    Exploded {
        /// The prop that exploded.
        id: EntityId,
        /// The middle of the explosion, in metres.
        pos: Vec3,
    },
    /// A soldier was hurt. One hit, one event.
    Hit {
        /// By whom (the victim itself for falls and own grenades).
        shooter: PlayerSlot,
        /// The player whose soldier was hit.
        victim: PlayerSlot,
        /// Hit points taken.
        damage_hp: u16,
        /// Into the head.
        headshot: bool,
    },
    /// A soldier went down, or died at once when nobody could have revived it.
    Downed {
        /// The player whose soldier went down.
        victim: PlayerSlot,
        /// By whom; `None` for a fall, the border or leaving.
        killer: Option<PlayerSlot>,
        /// The weapon, where one did it.
        weapon: Option<WeaponId>,
        /// By a shot into the head.
        headshot: bool,
    },
    /// A death became final.
    Died {
        /// The player whose soldier died.
        victim: PlayerSlot,
    },
    /// A downed soldier was helped up.
    Revived {
        /// The player whose soldier stands again.
        victim: PlayerSlot,
        /// The player who helped.
        medic: PlayerSlot,
    },
    /// A point changed hands.
    PointOwner {
        /// Number of the point on the map.
        point: PointId,
        /// To whom; `None`: neutral.
        owner: Option<Team>,
    },
    /// A player joined.
    Joined {
        /// The player who joined.
        player: PlayerSlot,
        /// On which side.
        team: Team,
    },
    /// A player left for good.
    Left {
        /// The player who left.
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
