//! The transaction that makes a result true.
//!
//! Rules before mechanism:
//! - A battle has one result: the first that its own server brings under its newest epoch. It
//!   counts however late it comes, also when the battle was given up as lost meanwhile: it was
//!   fought, and nobody else can have a result of it.
//! - A result that does not fit what is known of its battle ends the battle and counts for nothing:
//!   it is kept in `result_review`, and everybody who has a seat is told `under_review`.
//! - Whoever holds one of these locks may only wait for a later one: the server's row (shared, so
//!   that it cannot register anew meanwhile), the battle's row, the table of seasons (shared, so
//!   that none is opened), ratings by player, statistics by player and mode, statistics by player
//!   and weapon. All battles lock in this order, so they never wait for each other in a circle.
//! - A rating is read under its lock, and its change is numbered under it: by these numbers, what
//!   a player had before a battle is what the player had after the one before.

use std::collections::BTreeMap;
use std::time::Duration;

use sortie_battles::state::BattleState;
use sortie_rpc::ranking::RefusalCode;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::change::changes;
use super::check::BattleResult;
use super::fit::{self, Known};
use super::write;
use crate::eligibility::{Facts, Part, Reason, judge};
use crate::season;
use crate::settings::Settings;

const ATTEMPTS_MAX: u32 = 5;

/// What became of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is true now.
    Stored(Stored),
    /// The battle was over before; nothing changed.
    Known {
        /// `finished` or `cancelled`.
        state: String,
    },
    /// It will never be true; nothing changed.
    Refused(Refusal),
}

/// What a stored result changed, for leaderboards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// The season in which it counts.
    pub season_id: i32,
    /// The battle's mode.
    pub mode: String,
    /// What rated players are shown as now.
    pub scores: Vec<(Uuid, i64)>,
    /// How many players there were for each reason.
    pub reasons: BTreeMap<Reason, u64>,
    /// What does not fit what is known of the battle; then nobody was rated.
    pub misfits: Vec<String>,
}

/// Why a well-formed result is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody registered under this id.
    #[error("the server is not known")]
    UnknownServer,
    /// There is no such battle.
    #[error("the battle is not known")]
    UnknownBattle,
    /// The battle is another server's.
    #[error("the battle is on another server")]
    OtherServer,
    /// The server has registered anew since.
    #[error("the epoch is over: the server has registered anew")]
    OldEpoch,
    /// The server has an identity, and whoever brings this did not show its credential.
    #[error("the server has a credential of its own")]
    Unproven,
    /// The server never had it.
    #[error("the server has not had this epoch yet")]
    UnknownEpoch,
}

impl Refusal {
    /// The stable code.
    pub fn code(self) -> RefusalCode {
        match self {
            Self::UnknownServer => RefusalCode::UnknownServer,
            Self::UnknownBattle => RefusalCode::UnknownBattle,
            Self::OtherServer => RefusalCode::OtherServer,
            Self::OldEpoch => RefusalCode::OldEpoch,
            Self::Unproven => RefusalCode::UnprovenServer,
            Self::UnknownEpoch => RefusalCode::UnknownEpoch,
        }
    }
}

/// Stores a result, or says why not. Safe to call again, and in parallel.
///
/// # Errors
/// The database is away or does not get along, also after a few attempts: worth another try.
pub async fn store(
    db: &PgPool,
    settings: &Settings,
    result: &BattleResult,
) -> sqlx::Result<Outcome> {
    let mut attempt = 1;
    loop {
        match store_once(db, settings, result).await {
            Err(error) if attempt < ATTEMPTS_MAX && is_worth_a_retry(&error) => {
                metrics::counter!("sortie_result_retries_total").increment(1);
                tokio::time::sleep(Duration::from_millis(10) * attempt).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

/// Serialization failures and deadlocks: with others' transactions, ours have an order.
fn is_worth_a_retry(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("40001" | "40P01"))
}

async fn store_once(
    db: &PgPool,
    settings: &Settings,
    result: &BattleResult,
) -> sqlx::Result<Outcome> {
    let mut tx = db.begin().await?;
    let battle = match admit(&mut tx, result).await? {
        Ok(battle) => battle,
        Err(outcome) => return Ok(outcome),
    };
    let season_id = season::hold_open(&mut tx).await?;
    let seats = seats(&mut tx, result).await?;
    let known = Known {
        given_for: battle.given_for,
        duration_s: battle.duration_s,
        seats: seats.iter().map(|(player, seat)| (*player, seat.seat)).collect(),
    };
    let misfits = fit::misfits(result, &known);
    let players = result.players.iter().filter(|player| seats.contains_key(&player.player_id));
    let parts: Vec<Part> = players
        .clone()
        .map(|player| Part {
            team: usize::from(player.team == 1),
            is_guest: seats.get(&player.player_id).is_some_and(|seat| seat.is_guest),
            joined_tick: player.joined_tick,
            left_tick: player.left_tick,
        })
        .collect();
    let facts = Facts {
        is_ranked: battle.is_ranked,
        has_result: result.ended_by.is_result(),
        winner: result.winner.map(|team| usize::from(team == 1)),
        ticks: result.ticks,
        tick_hz: result.tick_hz,
    };
    let reasons = match misfits.is_empty() {
        true => judge(&settings.rules, &facts, &parts),
        false => vec![Reason::UnderReview; parts.len()],
    };
    let ids: Vec<Uuid> = players.clone().map(|player| player.player_id).collect();
    let before = write::lock_ratings(&mut tx, season_id, &battle.mode, &ids).await?;
    let changes = changes(&ids, &facts, &parts, &reasons, &before);
    let players: Vec<_> = players.collect();
    let round = write::Round { result, players: &players, battle: &battle, season_id };
    write::finish(&mut tx, &round, misfits.is_empty()).await?;
    write::replay(&mut tx, &round, settings.replay_kept_days).await?;
    write::rating_changes(&mut tx, &round, &changes).await?;
    if misfits.is_empty() {
        write::battle_players(&mut tx, &round).await?;
        write::events(&mut tx, &round).await?;
        write::ratings(&mut tx, &round, &changes, settings.idle_grace_days).await?;
        write::player_statistics(&mut tx, &round).await?;
        write::weapon_statistics(&mut tx, &round).await?;
    } else {
        write::review(&mut tx, result, &misfits).await?;
    }
    write::finished(&mut tx, &round, &changes).await?;
    tx.commit().await?;
    let ranked = changes.iter().filter(|change| change.reason == Reason::Ranked);
    let scores = ranked.map(|change| (change.player_id, i64::from(change.after.shown())));
    let mut counts = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    Ok(Outcome::Stored(Stored {
        season_id,
        scores: scores.collect(),
        mode: battle.mode,
        reasons: counts,
        misfits,
    }))
}

/// What the transaction needs of a battle that it holds.
pub(super) struct Battle {
    pub mode: String,
    pub map: String,
    pub is_ranked: bool,
    pub started_at: OffsetDateTime,
    pub ended_at: OffsetDateTime,
    /// Since it was first given to a server.
    given_for: Duration,
    duration_s: Option<i32>,
}

/// The fences: locks server and battle, and lets the first right result pass.
async fn admit(
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
struct Seat {
    is_guest: bool,
    seat: fit::Seat,
}

/// Reported players who have a seat in the battle, or had one.
async fn seats(db: &mut PgConnection, result: &BattleResult) -> sqlx::Result<BTreeMap<Uuid, Seat>> {
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
