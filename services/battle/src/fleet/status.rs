//! How a battle stands, on the wire.

use sortie_rpc::fleet::v1::{BattleStatus, Departure, Load, Point, Position, Region};
use uuid::Uuid;

use crate::server::standing::{PointStanding, PositionStanding, RegionStanding, Standing};

/// The battle as the control plane reads it.
pub(super) fn battle_status(standing: &Standing) -> BattleStatus {
    let point = |point: &PointStanding| Point {
        name: point.name.clone(),
        owner: point.owner.map(u32::from),
        progress: point.progress,
    };
    let region = |region: &RegionStanding| {
        let [min_x_m, max_x_m, min_y_m, max_y_m] = region.sides_m;
        let RegionStanding { players, load, .. } = *region;
        Region { min_x_m, min_y_m, max_x_m, max_y_m, players, load }
    };
    let position = |position: &PositionStanding| Position {
        player_id: Uuid::from_u128(position.player).to_string(),
        team: position.team.into(),
        x_m: position.place_m[0],
        y_m: position.place_m[1],
        is_alive: position.is_alive,
    };
    let departure = |(player, tick): &(u128, u32)| Departure {
        player_id: Uuid::from_u128(*player).to_string(),
        tick: *tick,
    };
    BattleStatus {
        battle_id: Uuid::from_u128(standing.battle_id).to_string(),
        tick: standing.tick,
        tick_hz: standing.tick_hz.into(),
        players: standing.players,
        score: standing.score.to_vec(),
        points: standing.points.iter().map(point).collect(),
        regions: standing.regions.iter().map(region).collect(),
        positions: standing.positions.iter().map(position).collect(),
        is_over: standing.is_over,
        gone: standing.gone.iter().map(departure).collect(),
    }
}

/// The server as the control plane reads it.
pub(super) fn load(standing: &Standing) -> Load {
    Load {
        players: standing.players,
        tick_p99_us: standing.load.tick_p99_us.min(u32::MAX.into()) as u32,
        tick_overruns: standing.load.tick_overruns,
        overload_step: standing.load.overload_step.into(),
        regions: standing.regions.len() as u32,
        region_players_max: standing.regions.iter().map(|row| row.players).max().unwrap_or(0),
    }
}
