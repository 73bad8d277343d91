//! The world after a tick, read-only: plain rows that the bridge, bots, reports and
//! spectators read without touching the ECS.

use sortie_field::{Pitch, Vec3, Yaw, body::Body};

use crate::id::{Class, EntityId, PlayerKey, PlayerSlot, PointId, SquadId, Team, Tick, WeaponId};

/// The battle as it stands after a tick. Rows are rebuilt in place each tick.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The last tick stepped.
    pub tick: Tick,
    /// One row per taken slot, index = slot. Leavers stay, with [`Status::Left`].
    pub soldiers: Vec<SoldierRow>,
    /// Everything else that exists, in id order.
    pub props: Vec<PropRow>,
    /// Capture points, index = [`PointId`].
    pub points: Vec<PointRow>,
    /// Tickets left (Conquest) or score reached (deathmatch), per team.
    pub tickets: [u32; 2],
    /// The stage of the round.
    pub round: RoundState,
}

/// The stage of the round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoundState {
    /// The round goes on.
    #[default]
    Running,
    /// Over since a tick, with its winner (`None`: a draw).
    Ended {
        /// The side that won.
        winner: Option<Team>,
        /// The tick in which it ended.
        at: Tick,
    },
}

/// Where a soldier stands between life and death.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Dead or not yet spawned; not in the field.
    #[default]
    Waiting = 0,
    /// In the field and on its feet.
    Alive = 1,
    /// Down: can be revived, cannot act.
    Down = 2,
    /// The player left the battle.
    Left = 3,
}

/// One soldier.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoldierRow {
    /// The account behind it.
    pub key: PlayerKey,
    /// The slot of the player whose soldier it is.
    pub slot: PlayerSlot,
    /// Its side.
    pub team: Team,
    /// Its squad, if any.
    pub squad: Option<SquadId>,
    /// Its class.
    pub class: Class,
    /// Alive, down, waiting or gone.
    pub status: Status,
    /// Position (of the feet), velocity, stance, ground contact: all that prediction needs.
    pub body: Body,
    /// Where it looks.
    pub yaw: Yaw,
    /// Where it looks.
    pub pitch: Pitch,
    /// The weapon in hand.
    pub weapon: WeaponId,
    /// Which of the carried weapons is in hand: 0 primary, 1 sidearm, 2 gadget.
    pub weapon_slot: u8,
    /// Aims down the sights.
    pub aiming: bool,
    /// Reloads.
    pub reloading: bool,
    /// The last tick in which it fired.
    pub fired_at: Tick,
    /// The last tick in which it was hit.
    pub hit_at: Tick,
    /// Hit points, 0 to 100.
    pub health_hp: u8,
    /// Rounds in the magazine of the weapon in hand.
    pub ammo: u16,
    /// Rounds in reserve for it.
    pub reserve: u16,
    /// Grenades left.
    pub grenades: u8,
    /// The enemy knows where it is (spotted or sensed) until this tick.
    pub spotted_until: Tick,
    /// The squad's standing order, if any.
    pub order: Option<PointId>,
    /// Earliest tick of the next spawn wave while waiting and asked for; `None` otherwise.
    pub spawns_at: Option<Tick>,
    /// Running totals.
    pub score: ScoreRow,
}

/// What a player's scoreboard line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScoreRow {
    /// Points of the score.
    pub points: u32,
    /// Enemies killed.
    pub kills: u16,
    /// Final deaths.
    pub deaths: u16,
    /// Kills helped with.
    pub assists: u16,
    /// Mates revived.
    pub revives: u16,
    /// Points captured or neutralised.
    pub captures: u16,
    /// Shots fired (a multi-pellet shot counts once).
    pub shots: u32,
    /// Shots that hit an enemy.
    pub hits: u32,
}

/// What a prop is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PropKind {
    /// A rocket or another projectile in flight.
    #[default]
    Projectile = 0,
    /// A thrown fragmentation grenade.
    Grenade = 1,
    /// A thrown smoke grenade before it opens.
    SmokeGrenade = 2,
    /// A cloud of smoke: blocks sight.
    Smoke = 3,
    /// A motion sensor.
    Sensor = 4,
    /// A medkit on the ground.
    Medkit = 5,
    /// An ammunition box on the ground.
    AmmoBox = 6,
}

/// Anything in the field that is no soldier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PropRow {
    /// The number by which clients know it.
    pub id: EntityId,
    /// What it is.
    pub kind: PropKind,
    /// Whose it is.
    pub owner: PlayerSlot,
    /// The owner's side.
    pub team: Team,
    /// Where it is.
    pub pos: Vec3,
    /// How fast it moves, m/s.
    pub vel: Vec3,
    /// Radius of its effect, metres; for smoke the radius that blocks sight.
    pub radius_m: f32,
}

/// A capture point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PointRow {
    /// Who owns it.
    pub owner: Option<Team>,
    /// Capture progress, -1 (Red's) to 1 (Blue's).
    pub progress: f32,
    /// Soldiers alive inside, per team.
    pub inside: [u16; 2],
}
