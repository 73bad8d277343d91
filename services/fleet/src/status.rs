//! How a battle stands: as it is stored (without positions) and as it is told.

use serde::{Deserialize, Serialize};
use sortie_battles::state::BattleState;
use sortie_rpc::fleet::v1 as rpc;
use utoipa::ToSchema;
use uuid::Uuid;

const SCORES_MAX: usize = 8;
const POINTS_MAX: usize = 64;
const REGIONS_MAX: usize = 1_024;
const POSITIONS_MAX: usize = 4_096;
const GONE_MAX: usize = 1_024;
const NAME_CHARS_MAX: usize = 64;

/// The topic of the bus on which a battle's statuses are told, as protobuf.
pub fn topic(battle_id: Uuid) -> String {
    format!("battle/{battle_id}")
}

/// How a battle stands. What stands in `battle.status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = BattleStatus)]
pub struct Status {
    /// What the battle waits for; absent once a server has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// The last tick stepped.
    pub tick: u32,
    /// Ticks a second; 0: its server has told nothing yet.
    pub tick_hz: u32,
    /// Players in it now.
    pub players: u32,
    /// By team. Conquest: tickets left; deathmatch: kills.
    pub score: Vec<u32>,
    /// Points to be held.
    pub points: Vec<BattlePoint>,
    /// Parts of the map that are simulated apart; only told to whoever may watch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<BattleRegion>,
    /// Whether the round is decided.
    pub is_over: bool,
}

/// A point to be held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BattlePoint {
    /// As maps name it.
    pub name: String,
    /// Team 0 or 1; absent while nobody's.
    pub owner: Option<u32>,
    /// -1 to 1: how far it is team 1's.
    pub progress: f32,
}

/// A part of the map, metres.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BattleRegion {
    /// West edge.
    pub min_x_m: f32,
    /// South edge.
    pub min_y_m: f32,
    /// East edge.
    pub max_x_m: f32,
    /// North edge.
    pub max_y_m: f32,
    /// Players in it.
    pub players: u32,
    /// Work units of the last seconds.
    pub load: u32,
}

impl Status {
    /// From the database; what cannot be read is empty.
    pub fn stored(value: serde_json::Value) -> Self {
        serde_json::from_value(value).unwrap_or_default()
    }

    /// Without what only spectators with the permission may see.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.regions.clear();
        self
    }

    /// Of a battle in this state: the last that a server told of one that is finished was told
    /// before its end.
    #[must_use]
    pub(crate) fn in_state(self, state: &str) -> Self {
        match BattleState::Finished.is(state) {
            true => Self { is_over: true, players: 0, ..self },
            false => self,
        }
    }

    /// As it is told, without positions.
    pub fn told(self, battle_id: Uuid) -> rpc::BattleStatus {
        rpc::BattleStatus {
            battle_id: battle_id.to_string(),
            tick: self.tick,
            tick_hz: self.tick_hz,
            players: self.players,
            score: self.score,
            points: self.points.into_iter().map(Into::into).collect(),
            regions: self.regions.into_iter().map(Into::into).collect(),
            positions: Vec::new(),
            is_over: self.is_over,
            gone: Vec::new(),
        }
    }
}

/// Makes a server's status fit the bounds: what is too much is left out.
pub(crate) fn bound(status: &mut rpc::BattleStatus) {
    status.score.truncate(SCORES_MAX);
    status.points.truncate(POINTS_MAX);
    status.regions.truncate(REGIONS_MAX);
    status.positions.truncate(POSITIONS_MAX);
    status.gone.truncate(GONE_MAX);
    for point in &mut status.points {
        if let Some((end, _)) = point.name.char_indices().nth(NAME_CHARS_MAX) {
            point.name.truncate(end);
        }
        point.progress = finite(point.progress).clamp(-1.0, 1.0);
    }
    for region in &mut status.regions {
        for edge in
            [&mut region.min_x_m, &mut region.min_y_m, &mut region.max_x_m, &mut region.max_y_m]
        {
            *edge = finite(*edge);
        }
    }
}

/// JSON has no other numbers.
fn finite(number: f32) -> f32 {
    if number.is_finite() { number } else { 0.0 }
}

impl From<&rpc::BattleStatus> for Status {
    fn from(told: &rpc::BattleStatus) -> Self {
        Self {
            waiting: None,
            tick: told.tick,
            tick_hz: told.tick_hz,
            players: told.players,
            score: told.score.clone(),
            points: told.points.iter().cloned().map(Into::into).collect(),
            regions: told.regions.iter().copied().map(Into::into).collect(),
            is_over: told.is_over,
        }
    }
}

impl From<rpc::Point> for BattlePoint {
    fn from(rpc::Point { name, owner, progress }: rpc::Point) -> Self {
        Self { name, owner, progress }
    }
}

impl From<BattlePoint> for rpc::Point {
    fn from(BattlePoint { name, owner, progress }: BattlePoint) -> Self {
        Self { name, owner, progress }
    }
}

impl From<rpc::Region> for BattleRegion {
    fn from(region: rpc::Region) -> Self {
        let rpc::Region { min_x_m, min_y_m, max_x_m, max_y_m, players, load } = region;
        Self { min_x_m, min_y_m, max_x_m, max_y_m, players, load }
    }
}

impl From<BattleRegion> for rpc::Region {
    fn from(region: BattleRegion) -> Self {
        let BattleRegion { min_x_m, min_y_m, max_x_m, max_y_m, players, load } = region;
        Self { min_x_m, min_y_m, max_x_m, max_y_m, players, load }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_comes_back_from_the_store_without_positions() {
        let position = rpc::Position::default();
        let mut told = rpc::BattleStatus {
            battle_id: Uuid::nil().to_string(),
            tick: 7,
            tick_hz: 60,
            players: 3,
            score: vec![1, 2],
            points: vec![rpc::Point { name: "A".into(), owner: Some(1), progress: f32::NAN }],
            regions: vec![rpc::Region { max_x_m: 64.0, load: 9, ..Default::default() }],
            positions: vec![position],
            is_over: true,
            gone: Vec::new(),
        };
        bound(&mut told);
        let stored = serde_json::to_value(Status::from(&told)).unwrap();
        let back = Status::stored(stored).told(Uuid::nil());
        told.positions.clear();
        assert_eq!(back, told);
        assert!(Status::from(&told).public().regions.is_empty());
    }

    #[test]
    fn too_much_is_left_out() {
        let mut told = rpc::BattleStatus { score: vec![1; 100], ..Default::default() };
        let name = "é".repeat(100);
        told.points = vec![rpc::Point { name, ..Default::default() }; 100];
        bound(&mut told);
        assert_eq!((told.score.len(), told.points.len()), (SCORES_MAX, POINTS_MAX));
        assert_eq!(told.points[0].name.chars().count(), NAME_CHARS_MAX);
        assert_eq!(Status::stored(serde_json::json!({ "tick": "x" })), Status::default());
    }
}
