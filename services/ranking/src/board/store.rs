//! Leaderboards straight from Postgres.
//!
//! Each query comes twice: for a mode, along the index `rating_board`, and for all modes, along
//! `rating_board_global`, where a row counts if the player has no better one. The conditions are
//! written so that the index finds the beginning of a page, and nothing is sorted.

use sqlx::PgPool;
use uuid::Uuid;

use super::{After, Board, Row};

/// Up to `count` rows after one.
pub(super) async fn page(
    db: &PgPool,
    board: Board,
    after: After,
    count: i64,
) -> sqlx::Result<Vec<Row>> {
    let rows: Vec<(Uuid, i32)> = match board.mode {
        Some(mode) => sqlx::query!(
            "select player_id, shown from rating
            where season_id = $1 and mode = $2 and battles > 0
                and shown <= $3 and (shown < $3 or player_id > $4)
            order by shown desc, player_id limit $5",
            board.season_id,
            mode,
            after.shown,
            after.player_id,
            count
        )
        .fetch_all(db)
        .await?
        .into_iter()
        .map(|row| (row.player_id, row.shown))
        .collect(),
        None => sqlx::query!(
            "select player_id, shown from rating
            where season_id = $1 and battles > 0
                and shown <= $2 and (shown < $2 or player_id > $3)
                and not exists (select from rating better
                    where better.player_id = rating.player_id and better.season_id = $1
                    and better.battles > 0
                    and (better.shown, better.mode) > (rating.shown, rating.mode))
            order by shown desc, player_id limit $4",
            board.season_id,
            after.shown,
            after.player_id,
            count
        )
        .fetch_all(db)
        .await?
        .into_iter()
        .map(|row| (row.player_id, row.shown))
        .collect(),
    };
    let ranked = rows.into_iter().zip(after.rank + 1..);
    Ok(ranked.map(|((player_id, shown), rank)| Row { rank, player_id, shown }).collect())
}

/// Up to `count` rows before one, the nearest first.
async fn above(db: &PgPool, board: Board, row: Row, count: i64) -> sqlx::Result<Vec<Row>> {
    let rows: Vec<(Uuid, i32)> = match board.mode {
        Some(mode) => sqlx::query!(
            "select player_id, shown from rating
            where season_id = $1 and mode = $2 and battles > 0
                and shown >= $3 and (shown > $3 or player_id < $4)
            order by shown, player_id desc limit $5",
            board.season_id,
            mode,
            row.shown,
            row.player_id,
            count
        )
        .fetch_all(db)
        .await?
        .into_iter()
        .map(|row| (row.player_id, row.shown))
        .collect(),
        None => sqlx::query!(
            "select player_id, shown from rating
            where season_id = $1 and battles > 0
                and shown >= $2 and (shown > $2 or player_id < $3)
                and not exists (select from rating better
                    where better.player_id = rating.player_id and better.season_id = $1
                    and better.battles > 0
                    and (better.shown, better.mode) > (rating.shown, rating.mode))
            order by shown, player_id desc limit $4",
            board.season_id,
            row.shown,
            row.player_id,
            count
        )
        .fetch_all(db)
        .await?
        .into_iter()
        .map(|row| (row.player_id, row.shown))
        .collect(),
    };
    let ranked = rows.into_iter().zip((1..row.rank).rev());
    Ok(ranked.map(|((player_id, shown), rank)| Row { rank, player_id, shown }).collect())
}

/// A player's row; `None`: the player is on no such board.
async fn place(db: &PgPool, board: Board, player_id: Uuid) -> sqlx::Result<Option<Row>> {
    let shown = sqlx::query_scalar!(
        "select max(shown) from rating where player_id = $1 and season_id = $2
            and (mode = $3 or $3 is null) and battles > 0",
        player_id,
        board.season_id,
        board.mode,
    )
    .fetch_one(db)
    .await?;
    let Some(shown) = shown else { return Ok(None) };
    // In all modes, players are counted by any row that is better, so each once.
    let before = match board.mode {
        Some(mode) => {
            sqlx::query_scalar!(
                r#"select count(*) as "count!" from rating
                where season_id = $1 and mode = $2 and battles > 0
                    and shown >= $3 and (shown > $3 or player_id < $4)"#,
                board.season_id,
                mode,
                shown,
                player_id
            )
            .fetch_one(db)
            .await?
        }
        None => {
            sqlx::query_scalar!(
                r#"select count(distinct player_id) as "count!" from rating
                where season_id = $1 and battles > 0
                    and shown >= $2 and (shown > $2 or player_id < $3)"#,
                board.season_id,
                shown,
                player_id
            )
            .fetch_one(db)
            .await?
        }
    };
    Ok(Some(Row { rank: before + 1, player_id, shown }))
}

/// A player's row with up to `before` and `after` rows around it; empty: the player has none.
pub(super) async fn around(
    db: &PgPool,
    board: Board,
    player_id: Uuid,
    before: i64,
    after: i64,
) -> sqlx::Result<Vec<Row>> {
    let Some(row) = place(db, board, player_id).await? else { return Ok(Vec::new()) };
    let mut rows = above(db, board, row, before).await?;
    rows.reverse();
    rows.push(row);
    let Row { rank, player_id, shown } = row;
    rows.extend(page(db, board, After { rank, shown, player_id }, after).await?);
    Ok(rows)
}

/// How far the ratings of a season are: the version of the newest change; 0 before the first.
pub(super) async fn newest(db: &PgPool, season_id: i32) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select coalesce(max(version), 0) as "newest!" from rating
        where season_id = $1 and battles > 0"#,
        season_id
    )
    .fetch_one(db)
    .await
}

/// How many rows a board has.
pub(super) async fn size(db: &PgPool, board: Board) -> sqlx::Result<u64> {
    let size = match board.mode {
        Some(mode) => {
            sqlx::query_scalar!(
                r#"select count(*) as "count!" from rating
                where season_id = $1 and mode = $2 and battles > 0"#,
                board.season_id,
                mode
            )
            .fetch_one(db)
            .await?
        }
        None => {
            sqlx::query_scalar!(
                r#"select count(distinct player_id) as "count!" from rating
                where season_id = $1 and battles > 0"#,
                board.season_id
            )
            .fetch_one(db)
            .await?
        }
    };
    Ok(size.unsigned_abs())
}
