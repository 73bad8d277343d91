//! How a battle stands: plain rows that the tick fills.

use std::cmp::Reverse;

use sortie_sim::Battle;
use sortie_sim::id::PlayerKey;
use sortie_sim::view::Status;

use crate::journal::Tally;

/// Departures that are told, the newest.
const GONE_MAX: usize = 1_024;

/// How a battle stands after a tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    /// Which battle.
    pub battle_id: u128,
    pub tick: u32,
    pub tick_hz: u16,
    /// Players with a connection.
    pub players: u32,
    /// Tickets left or score, by team.
    pub score: [u32; 2],
    pub points: Vec<PointStanding>,
    pub regions: Vec<RegionStanding>,
    pub positions: Vec<PositionStanding>,
    /// Who left for good, and in which tick; newest first.
    pub gone: Vec<(u128, u32)>,
    pub is_over: bool,
    pub load: LoadStanding,
}

/// How the server fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadStanding {
    /// Of the last second.
    pub tick_p99_us: u64,
    pub tick_overruns: u64,
    pub overload_step: u8,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PointStanding {
    pub name: String,
    pub owner: Option<u8>,
    pub progress: f32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RegionStanding {
    /// West, east, north, south, metres.
    pub sides_m: [f32; 4],
    pub players: u32,
    pub load: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PositionStanding {
    pub player: u128,
    pub team: u8,
    /// East and south, whole metres.
    pub place_m: [i32; 2],
    pub is_alive: bool,
}

impl Standing {
    /// How `battle` stands, with so many players connected.
    pub(crate) fn of(battle: &Battle, battle_id: u128, players: u32, load: LoadStanding) -> Self {
        let view = battle.view();
        let in_field = |status| matches!(status, Status::Alive | Status::Down);
        let soldiers = view.soldiers.iter().filter(|row| in_field(row.status));
        let positions = soldiers.map(|row| PositionStanding {
            player: row.key.0,
            team: row.team as u8,
            place_m: [row.body.pos.x.floor() as i32, row.body.pos.z.floor() as i32],
            is_alive: row.status == Status::Alive,
        });
        let positions: Vec<_> = positions.collect();
        let names = battle.field().map().points.iter();
        let points = view.points.iter().zip(names).map(|(row, point)| PointStanding {
            name: point.name.clone(),
            owner: row.owner.map(|team| team as u8),
            progress: row.progress,
        });
        let mut regions: Vec<_> = battle
            .regions()
            .map(|leaf| {
                let rect = leaf.rect;
                let sides_m = [rect.x_low, rect.x_high, rect.z_low, rect.z_high];
                RegionStanding { sides_m, players: 0, load: leaf.load_units }
            })
            .collect();
        for position in &positions {
            let [x, z] = position.place_m.map(|place| place as f32);
            let holds = |region: &&mut RegionStanding| {
                let [west, east, north, south] = region.sides_m;
                (west..east).contains(&x) && (north..south).contains(&z)
            };
            if let Some(region) = regions.iter_mut().find(holds) {
                region.players += 1;
            }
        }
        Self {
            battle_id,
            tick: view.tick.0,
            tick_hz: battle.config().tick_hz,
            players,
            score: view.tickets,
            points: points.collect(),
            regions,
            positions,
            gone: Vec::new(),
            is_over: battle.is_over(),
            load,
        }
    }

    /// Adds who left for good, by the battle's tally. Whoever comes again is here, `is_here`, and
    /// not gone.
    pub(crate) fn with_gone(
        mut self,
        battle: &Battle,
        tally: &Tally,
        is_here: impl Fn(PlayerKey) -> bool,
    ) -> Self {
        let rows = battle.view().soldiers.iter().zip(&tally.players);
        let left = rows.filter_map(|(row, tally)| Some((row.key, tally.left?)));
        let gone = left.filter(|(key, _)| !is_here(*key));
        self.gone = gone.map(|(key, tick)| (key.0, tick)).collect();
        self.gone.sort_unstable_by_key(|(player, tick)| (Reverse(*tick), *player));
        self.gone.truncate(GONE_MAX);
        self
    }
}
