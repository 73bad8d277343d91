//! The statements of the transaction, a table a function, many rows a statement.
//!
//! Where rows of other battles may be touched at the same time, they come in the order of their
//! keys; `store` says why.

use std::array;
use std::collections::BTreeMap;

use serde_json::json;
use sortie_battles::battle::{self, Finish};
use sortie_battles::{log, review};
use sortie_control::outbox;
use sortie_whereabouts::seat;
use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use super::admit::Battle;
use super::change::Change;
use super::check::{BattleResult, PlayerRecord};
use crate::eligibility::Reason;
use crate::rating::Skill;

/// A result with what the database knows of it.
pub(super) struct Round<'a> {
    pub result: &'a BattleResult,
    /// Those who have a seat in the battle, by id.
    pub players: &'a [&'a PlayerRecord],
    pub battle: &'a Battle,
    pub season_id: i32,
}

impl Round<'_> {
    /// A column of the players.
    fn column<T>(&self, of: impl Fn(&PlayerRecord) -> T) -> Vec<T> {
        self.players.iter().map(|player| of(player)).collect()
    }

    fn at_tick(&self, tick: i32) -> time::OffsetDateTime {
        let before_end = f64::from(self.result.ticks - tick) / f64::from(self.result.tick_hz);
        self.battle.ended_at - Duration::seconds_f64(before_end)
    }
}

/// Ratings of `ids` in a season and mode, locked; those that are not there are made. `ids` come
/// in order.
pub(super) async fn lock_ratings(
    db: &mut PgConnection,
    season_id: i32,
    mode: &str,
    ids: &[Uuid],
) -> sqlx::Result<BTreeMap<Uuid, Skill>> {
    let new = Skill::default();
    sqlx::query!(
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown)
        select player_id, $2, $3, $4, $5, $6 from unnest($1::uuid[]) as player (player_id)
        order by player_id
        on conflict do nothing",
        ids,
        season_id,
        mode,
        new.rating,
        new.uncertainty,
        new.shown(),
    )
    .execute(&mut *db)
    .await?;
    let rows = sqlx::query!(
        "select player_id, rating, uncertainty from rating
        where player_id = any($1) and season_id = $2 and mode = $3
        order by player_id for update",
        ids,
        season_id,
        mode
    )
    .fetch_all(db)
    .await?;
    let skill = |rating, uncertainty| Skill { rating, uncertainty };
    Ok(rows.into_iter().map(|row| (row.player_id, skill(row.rating, row.uncertainty))).collect())
}

/// The battle is over. Who won it is told only by a result that is believed.
pub(super) async fn finish(
    db: &mut PgConnection,
    round: &Round<'_>,
    is_believed: bool,
) -> sqlx::Result<()> {
    let finish = Finish {
        started_at: round.battle.started_at,
        ended_at: round.battle.ended_at,
        winner: round.result.winner.filter(|_| is_believed),
        ended_by: &round.result.ended_by,
        ticks: round.result.ticks,
        state_hash: &round.result.state_hash,
    };
    battle::finish(db, round.result.battle_id, &finish).await
}

/// Keeps a result that does not fit.
pub(super) async fn review(
    db: &mut PgConnection,
    result: &BattleResult,
    misfits: &[String],
) -> sqlx::Result<()> {
    let whole = serde_json::to_value(result).map_err(|error| sqlx::Error::Encode(error.into()))?;
    review::keep(db, result.battle_id, result.server_id, misfits, &whole).await
}

pub(super) async fn battle_players(db: &mut PgConnection, round: &Round<'_>) -> sqlx::Result<()> {
    let reported = seat::Reported {
        players: round.column(|player| player.player_id),
        teams: round.column(|player| player.team),
        joined_at: round.column(|player| round.at_tick(player.joined_tick)),
        left_at_tick: round.column(|player| player.has_left.then_some(player.left_tick)),
        counts: array::from_fn(|which| round.column(|player| player.counts[which])),
        ticks_played: round.column(PlayerRecord::ticks_played),
    };
    seat::report(db, round.result.battle_id, &reported).await
}

pub(super) async fn events(db: &mut PgConnection, round: &Round<'_>) -> sqlx::Result<()> {
    let events = &round.result.events;
    if events.is_empty() {
        return Ok(());
    }
    let events = log::Events {
        ticks: events.iter().map(|event| event.tick).collect(),
        places: (0..).take(events.len()).collect(),
        kinds: events.iter().map(|event| event.kind.clone()).collect(),
        bodies: events.iter().map(|event| event.body.clone()).collect(),
        times: events.iter().map(|event| round.at_tick(event.tick)).collect(),
    };
    log::write(db, round.result.battle_id, &events).await
}

pub(super) async fn replay(
    db: &mut PgConnection,
    round: &Round<'_>,
    kept_days: u32,
) -> sqlx::Result<()> {
    let Some(replay) = &round.result.replay else { return Ok(()) };
    let expires_at = round.battle.ended_at + Duration::days(i64::from(kept_days));
    sqlx::query!(
        "insert into replay (battle_id, place, bytes, expires_at, server_id)
        values ($1, $2, $3, $4, $5)
        on conflict (battle_id) do nothing",
        round.result.battle_id,
        replay.place,
        replay.bytes,
        expires_at,
        round.result.server_id,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// New ratings of those who are rated. Their rows are locked.
pub(super) async fn ratings(
    db: &mut PgConnection,
    round: &Round<'_>,
    changes: &[Change],
    idle_grace_days: u32,
) -> sqlx::Result<()> {
    let rated: Vec<&Change> =
        changes.iter().filter(|change| change.reason == Reason::Ranked).collect();
    if rated.is_empty() {
        return Ok(());
    }
    let which = |won: Option<bool>| -> Vec<i32> {
        rated.iter().map(|change| i32::from(change.has_won == won)).collect()
    };
    sqlx::query!(
        "update rating set rating = new.rating, uncertainty = new.uncertainty, shown = new.shown,
            battles = battles + 1, wins = wins + new.won, losses = losses + new.lost,
            draws = draws + new.drawn, played_at = now(), changed_at = clock_timestamp(),
            decays_at = now() + make_interval(days => $10)
        from unnest($3::uuid[], $4::float8[], $5::float8[], $6::int4[], $7::int4[], $8::int4[],
            $9::int4[]) as new (player_id, rating, uncertainty, shown, won, lost, drawn)
        where rating.player_id = new.player_id and season_id = $1 and mode = $2",
        round.season_id,
        round.battle.mode,
        &rated.iter().map(|change| change.player_id).collect::<Vec<_>>(),
        &rated.iter().map(|change| change.after.rating).collect::<Vec<_>>(),
        &rated.iter().map(|change| change.after.uncertainty).collect::<Vec<_>>(),
        &rated.iter().map(|change| change.after.shown()).collect::<Vec<_>>(),
        &which(Some(true)),
        &which(Some(false)),
        &which(None),
        idle_grace_days.cast_signed(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A row for everybody, rated or not.
pub(super) async fn rating_changes(
    db: &mut PgConnection,
    round: &Round<'_>,
    changes: &[Change],
) -> sqlx::Result<()> {
    let skills = |of: fn(&Change) -> Skill| changes.iter().map(of).collect::<Vec<_>>();
    let (before, after) = (skills(|change| change.before), skills(|change| change.after));
    let rating = |of: &[Skill]| of.iter().map(|skill| skill.rating).collect::<Vec<_>>();
    let uncertainty = |of: &[Skill]| of.iter().map(|skill| skill.uncertainty).collect::<Vec<_>>();
    let shown = |of: &[Skill]| of.iter().map(|skill| skill.shown()).collect::<Vec<_>>();
    let is_ranked = |change: &Change| change.reason == Reason::Ranked;
    sqlx::query!(
        "insert into rating_change (battle_id, player_id, season_id, mode, is_ranked, reason,
            rating_before, uncertainty_before, rating_after, uncertainty_after,
            shown_before, shown_after, at)
        select $1, player_id, $2, $3, is_ranked, reason, rating_before, uncertainty_before,
            rating_after, uncertainty_after, shown_before, shown_after, clock_timestamp()
        from unnest($4::uuid[], $5::bool[], $6::text[], $7::float8[], $8::float8[], $9::float8[],
            $10::float8[], $11::int4[], $12::int4[])
            as change (player_id, is_ranked, reason, rating_before, uncertainty_before,
                rating_after, uncertainty_after, shown_before, shown_after)",
        round.result.battle_id,
        round.season_id,
        round.battle.mode,
        &changes.iter().map(|change| change.player_id).collect::<Vec<_>>(),
        &changes.iter().map(is_ranked).collect::<Vec<_>>(),
        &changes.iter().map(|change| change.reason.name().to_owned()).collect::<Vec<_>>(),
        &rating(&before),
        &uncertainty(&before),
        &rating(&after),
        &uncertainty(&after),
        &shown(&before),
        &shown(&after),
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn player_statistics(
    db: &mut PgConnection,
    round: &Round<'_>,
) -> sqlx::Result<()> {
    let count = |which: usize| round.column(|player| player.counts[which]);
    let won = |player: &PlayerRecord| i32::from(round.result.winner == Some(player.team));
    let seconds = |player: &PlayerRecord| player.ticks_played() / round.result.tick_hz;
    sqlx::query!(
        "insert into player_statistics as sums (player_id, mode, battles, wins, points, kills,
            deaths, assists, revives, captures, shots, hits, seconds_played)
        select player_id, $1, 1, won, points, kills, deaths, assists, revives, captures, shots,
            hits, seconds
        from unnest($2::uuid[], $3::int4[], $4::int4[], $5::int4[], $6::int4[], $7::int4[],
            $8::int4[], $9::int4[], $10::int4[], $11::int4[], $12::int4[])
            as new (player_id, won, points, kills, deaths, assists, revives, captures, shots,
                hits, seconds)
        order by player_id
        on conflict (player_id, mode) do update set
            battles = sums.battles + 1, wins = sums.wins + excluded.wins,
            points = sums.points + excluded.points, kills = sums.kills + excluded.kills,
            deaths = sums.deaths + excluded.deaths, assists = sums.assists + excluded.assists,
            revives = sums.revives + excluded.revives,
            captures = sums.captures + excluded.captures, shots = sums.shots + excluded.shots,
            hits = sums.hits + excluded.hits,
            seconds_played = sums.seconds_played + excluded.seconds_played",
        round.battle.mode,
        &round.column(|player| player.player_id),
        &round.column(won),
        &count(0),
        &count(1),
        &count(2),
        &count(3),
        &count(4),
        &count(5),
        &count(6),
        &count(7),
        &round.column(seconds),
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn weapon_statistics(
    db: &mut PgConnection,
    round: &Round<'_>,
) -> sqlx::Result<()> {
    let all = round.players.iter().flat_map(|player| {
        player.weapons.iter().map(|(weapon, counts)| (player.player_id, weapon, counts))
    });
    let rows: Vec<_> = all.collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"insert into weapon_statistics as sums (player_id, weapon, shots, hits, kills)
        select player_id, weapon, shots, hits, kills
        from unnest($1::uuid[], $2::text[], $3::int8[], $4::int8[], $5::int8[])
            as new (player_id, weapon, shots, hits, kills)
        order by player_id, weapon collate "C"
        on conflict (player_id, weapon) do update set
            shots = sums.shots + excluded.shots, hits = sums.hits + excluded.hits,
            kills = sums.kills + excluded.kills"#,
        &rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.1.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.2.shots).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.2.hits).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.2.kills).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What other systems learn; who did what they read where it is stored.
pub(super) async fn finished(
    db: &mut PgConnection,
    round: &Round<'_>,
    changes: &[Change],
) -> sqlx::Result<()> {
    let rated = changes.iter().filter(|change| change.reason == Reason::Ranked).count();
    let body = json!({
        "battle_id": round.result.battle_id,
        "server_id": round.result.server_id,
        "season_id": round.season_id,
        "mode": round.battle.mode,
        "map": round.battle.map,
        "is_ranked": round.battle.is_ranked,
        "winner": round.result.winner,
        "ended_by": round.result.ended_by.name(),
        "ticks": round.result.ticks,
        "tick_hz": round.result.tick_hz,
        "state_hash": round.result.state_hash,
        "players": round.players.len(),
        "players_rated": rated,
        "under_review": changes.iter().any(|change| change.reason == Reason::UnderReview),
    });
    let key = round.result.battle_id.to_string();
    outbox::write(db, "battle.finished", &key, body).await
}
