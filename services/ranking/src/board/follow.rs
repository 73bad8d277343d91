//! Scores on their way to the sets on the bus.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use sortie_control::app::AppState;
use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;

use sortie_rpc::game::GameMode;

use super::bus::{Boards, FillError};
use super::{Board, store};
use crate::season;

/// Changes are seen when they are committed, which may be so long after `changed_at`.
const COMMITTED_WITHIN: time::Duration = time::Duration::seconds(20);

/// Changes that are put at once.
const FOLLOWED_AT_ONCE: i64 = 5_000;

/// Passes after which sets are compared with Postgres again, also complete ones.
const PASSES_PER_COMPARISON: u32 = 60;

/// Puts the scores of players, as they are in Postgres now, in all modes.
pub(super) async fn put(app: &AppState, season_id: i32, players: &[Uuid]) -> Result<(), FillError> {
    let rows = sqlx::query!(
        "select player_id, mode, shown from rating
        where player_id = any($1) and season_id = $2 and battles > 0",
        players,
        season_id
    )
    .fetch_all(&app.db)
    .await?;
    let mut boards: BTreeMap<Option<&'static str>, BTreeMap<Uuid, i64>> = BTreeMap::new();
    for row in rows {
        let shown = i64::from(row.shown);
        // A newer node's mode has no board of its own here, and counts for the one over all.
        if let Some(mode) = GameMode::names().find(|mode| *mode == row.mode) {
            boards.entry(Some(mode)).or_default().insert(row.player_id, shown);
        }
        let best = boards.entry(None).or_default().entry(row.player_id).or_insert(shown);
        *best = shown.max(*best);
    }
    for (mode, scores) in boards {
        let scores: Vec<(Uuid, i64)> = scores.into_iter().collect();
        app.bus.boards.put(&Board { season_id, mode }.name(), &scores).await?;
    }
    Ok(())
}

/// Keeps the sets as Postgres is, until the stop is asked for.
pub(crate) async fn job(boards: Boards, period: Duration, stop: Stop) {
    let failing = "leaderboards do not follow; they are read from Postgres";
    let mut rounds = Rounds::new("leaderboards", period, failing, stop);
    let mut follower = Follower::default();
    while rounds.next().await {
        rounds.ended(follower.pass(&boards).await);
    }
}

#[derive(Default)]
struct Follower {
    season_id: i32,
    /// Up to where changes were put, by their time. `None`: this node has just begun.
    since: Option<OffsetDateTime>,
    passes: u32,
}

impl Follower {
    async fn pass(&mut self, boards: &Boards) -> Result<(), FillError> {
        let season_id = season::open_id(boards.db()).await?;
        if season_id != self.season_id {
            *self = Self { season_id, ..Self::default() };
        }
        let newest = store::newest(boards.db(), season_id).await?;
        let brought = self.bring_up_to_date(boards, newest).await;
        for board in Board::of_season(season_id) {
            // Also of one that could not be brought there: it is not read until it is.
            boards.truth_is_at(board, newest);
        }
        brought?;
        for board in Board::of_season(season_id) {
            if self.passes.is_multiple_of(PASSES_PER_COMPARISON) {
                boards.complete(board).await;
            } else {
                // Notices one that was emptied, and has it filled.
                boards.is_complete(board).await;
            }
        }
        self.passes = self.passes.wrapping_add(1);
        Ok(())
    }

    async fn bring_up_to_date(&mut self, boards: &Boards, newest: i64) -> Result<(), FillError> {
        let (db, app) = (boards.db(), boards.app());
        let now =
            sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(db).await?;
        bring_to_mark(boards, self.season_id, newest).await?;
        // A node that starts may have died with changes on its way.
        let mut since = self.since.unwrap_or(now - time::Duration::HOUR);
        loop {
            let (players, last) = changed_since(db, self.season_id, since).await?;
            put(app, self.season_id, &players).await?;
            match last {
                Some(last) => since = last,
                None => break,
            }
        }
        self.since = Some(now - COMMITTED_WITHIN);
        Ok(())
    }
}

/// Puts what changed since the sets' marks, and moves the marks to `newest`. Sets without a mark
/// are filled, not brought up to date.
async fn bring_to_mark(boards: &Boards, season_id: i32, newest: i64) -> Result<(), FillError> {
    let bus = &boards.app().bus.boards;
    let mut marked = Vec::new();
    for board in Board::of_season(season_id) {
        if let Some(mark) = bus.mark(&board.name()).await? {
            marked.push((board, mark));
        }
    }
    if let Some(oldest) = marked.iter().map(|(_, mark)| *mark).min() {
        let mut mark = oldest;
        loop {
            let (players, last) = changed_after(boards.db(), season_id, mark).await?;
            put(boards.app(), season_id, &players).await?;
            match last {
                Some(last) => mark = last,
                None => break,
            }
        }
    }
    for (board, mark) in marked {
        if mark < newest {
            bus.set_mark(&board.name(), newest).await?;
        }
    }
    Ok(())
}

/// Players with changes after `mark`, and where to go on if there are more.
async fn changed_after(
    db: &PgPool,
    season_id: i32,
    mark: i64,
) -> sqlx::Result<(Vec<Uuid>, Option<i64>)> {
    let rows = sqlx::query!(
        "select player_id, version from rating
        where version > $1 and season_id = $2 and battles > 0
        order by version limit $3",
        mark,
        season_id,
        FOLLOWED_AT_ONCE
    )
    .fetch_all(db)
    .await?;
    let is_full = rows.len() as i64 == FOLLOWED_AT_ONCE;
    let last = rows.last().map(|row| row.version).filter(|_| is_full);
    let players: BTreeSet<Uuid> = rows.into_iter().map(|row| row.player_id).collect();
    Ok((players.into_iter().collect(), last))
}

/// Players with changes after `since`, and where to go on if there are more: changes are seen when
/// they are committed, which may be after newer ones.
async fn changed_since(
    db: &PgPool,
    season_id: i32,
    since: OffsetDateTime,
) -> sqlx::Result<(Vec<Uuid>, Option<OffsetDateTime>)> {
    let rows = sqlx::query!(
        "select player_id, changed_at from rating
        where changed_at > $1 and season_id = $2 and battles > 0
        order by changed_at limit $3",
        since,
        season_id,
        FOLLOWED_AT_ONCE
    )
    .fetch_all(db)
    .await?;
    let is_full = rows.len() as i64 == FOLLOWED_AT_ONCE;
    let last = rows.last().map(|row| row.changed_at).filter(|_| is_full);
    let players: BTreeSet<Uuid> = rows.into_iter().map(|row| row.player_id).collect();
    Ok((players.into_iter().collect(), last))
}
