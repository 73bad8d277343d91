//! What is known of a result's battle, and whether it may have this result.

use std::collections::BTreeMap;
use std::time::Duration;

use sortie_battles::state::BattleState;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::check::BattleResult;
use super::fit;
use super::outcome::{Outcome, Refusal};

/// What the transaction needs of a battle that it holds.
pub(super) struct Battle {
    pub mode: String,
    pub map: String,
    pub is_ranked: bool,
    pub started_at: OffsetDateTime,
    pub ended_at: OffsetDateTime,
    /// Since it was first given to a server.
    pub given_for: Duration,
    pub duration_s: Option<i32>,
}

/// The fences: locks server and battle, and lets the first right result pass.
pub(super) async fn admit(
    db: &mut PgConnection,
    result: &BattleResult,
) -> sqlx::Result<Result<Battle, Outcome>> {
    let server = sqlx::query!(
        r#"select epoch, identity_since, identity_hash is not null as "has_identity!"
        from battle_server where server_id = $1 for share"#,
        result.server_id
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(server) = server else { return Ok(Err(Outcome::Refused(Refusal::UnknownServer))) };
    if server.has_identity && !result.is_proven {
        return Ok(Err(Outcome::Refused(Refusal::Unproven)));
    }
    let newest = server.epoch;
    let battle = sqlx::query!(
        r#"select mode, map, is_ranked, state, server_id, server_epoch, started_at, duration_s,
            coalesce(given_at, asked_at) as "given_at!", clock_timestamp() as "now!"
        from battle where battle_id = $1 for update"#,
        result.battle_id
    )
    .fetch_optional(db)
    .await?;
    let Some(battle) = battle else { return Ok(Err(Outcome::Refused(Refusal::UnknownBattle))) };
    // What was given to another identity under this name is not this server's.
    let is_earlier = battle.server_epoch.is_some_and(|epoch| epoch < server.identity_since);
    let outcome = if battle.server_id != Some(result.server_id) || is_earlier {
        Outcome::Refused(Refusal::OtherServer)
    } else if BattleState::Finished.is(&battle.state) {
        // Whatever the epoch: this battle's server asks for a receipt that it lost.
        Outcome::Known { state: battle.state }
    } else if result.epoch < newest {
        Outcome::Refused(Refusal::OldEpoch)
    } else if result.epoch > newest {
        Outcome::Refused(Refusal::UnknownEpoch)
    } else if BattleState::Cancelled.is(&battle.state) {
        Outcome::Known { state: battle.state }
    } else {
        // A report may wait on the server's disk for long; the battle ended when it ended.
        let lasted = f64::from(result.ticks) / f64::from(result.tick_hz);
        let lasted = time::Duration::seconds_f64(lasted);
        let started_at = battle.started_at.unwrap_or(battle.now - lasted);
        let ended_at = battle.now.min(started_at + lasted);
        return Ok(Ok(Battle {
            mode: battle.mode,
            map: battle.map,
            is_ranked: battle.is_ranked,
            started_at,
            ended_at,
            given_for: Duration::try_from(battle.now - battle.given_at).unwrap_or_default(),
            duration_s: battle.duration_s,
        }));
    };
    Ok(Err(outcome))
}

/// What is known of a player of a battle.
pub(super) struct Seat {
    pub is_guest: bool,
    pub seat: fit::Seat,
}

/// Reported players who have a seat in the battle, or had one.
pub(super) async fn seats(
    db: &mut PgConnection,
    result: &BattleResult,
) -> sqlx::Result<BTreeMap<Uuid, Seat>> {
    let ids: Vec<Uuid> = result.players.iter().map(|player| player.player_id).collect();
    let rows = sqlx::query!(
        r#"select player_id, is_guest, joined_at is not null as "had_ticket!",
            case when gone_tick is null then team end as team
        from battle_player join player using (player_id)
        where battle_id = $1 and player_id = any($2)"#,
        result.battle_id,
        &ids
    )
    .fetch_all(db)
    .await?;
    let seats = rows.into_iter().map(|row| {
        let seat = fit::Seat { team: row.team, had_ticket: row.had_ticket };
        (row.player_id, Seat { is_guest: row.is_guest, seat })
    });
    Ok(seats.collect())
}
