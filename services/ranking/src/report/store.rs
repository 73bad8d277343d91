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

use sqlx::PgPool;
use uuid::Uuid;

use super::admit::{admit, seats};
use super::change::changes;
use super::check::BattleResult;
use super::fit::{self, Known};
use super::outcome::{Outcome, Stored};
use super::write;
use crate::carry;
use crate::eligibility::{Facts, Part, Reason, judge};
use crate::season;
use crate::settings::Settings;

const ATTEMPTS_MAX: u32 = 5;

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
    carry::of_players(&mut tx, &ids, &battle.mode).await?;
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
