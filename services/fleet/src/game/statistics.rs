//! `Game.GetPlayerStatistics`: sums over all battles of a player.

use sortie_rpc::game::v1 as rpc;
use sqlx::PgPool;
use uuid::Uuid;

use crate::error::FleetError;

/// Modes and weapons are few; the bound is for what no one foresaw.
const ROWS_MAX: i64 = 256;

/// By mode and by weapon; empty for whoever has not fought.
pub(super) async fn of_player(
    db: &PgPool,
    player_id: Uuid,
) -> Result<rpc::GetPlayerStatisticsResponse, FleetError> {
    let modes = sqlx::query!(
        "select mode, battles, wins, points, kills, deaths, assists, revives, captures, shots,
             hits, seconds_played
         from player_statistics where player_id = $1 order by mode limit $2",
        player_id,
        ROWS_MAX
    )
    .fetch_all(db)
    .await?;
    let weapons = sqlx::query!(
        "select weapon, shots, hits, kills from weapon_statistics
         where player_id = $1 order by weapon limit $2",
        player_id,
        ROWS_MAX
    )
    .fetch_all(db)
    .await?;
    let u32_of = |number: i32| number.max(0).unsigned_abs();
    let u64_of = |number: i64| number.max(0).unsigned_abs();
    let mode = modes.into_iter().map(|row| rpc::ModeStatistics {
        mode: row.mode,
        battles: u32_of(row.battles),
        wins: u32_of(row.wins),
        points: u64_of(row.points),
        kills: u64_of(row.kills),
        deaths: u64_of(row.deaths),
        assists: u64_of(row.assists),
        revives: u64_of(row.revives),
        captures: u64_of(row.captures),
        shots: u64_of(row.shots),
        hits: u64_of(row.hits),
        seconds_played: u64_of(row.seconds_played),
    });
    let weapon = weapons.into_iter().map(|row| rpc::WeaponStatistics {
        weapon: row.weapon,
        shots: u64_of(row.shots),
        hits: u64_of(row.hits),
        kills: u64_of(row.kills),
    });
    Ok(rpc::GetPlayerStatisticsResponse { modes: mode.collect(), weapons: weapon.collect() })
}
