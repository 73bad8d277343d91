//! A leaderboard with very many rows, in seconds: indexes and foreign keys that can be made anew
//! are, after the rows are there.

use anyhow::ensure;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::fixture::Fixture;

/// Mode of the rows.
pub(crate) const MODE: &str = "deathmatch";

/// So many players with a rating each in the season 1.
pub(crate) async fn board(fixture: &Fixture, rows: i64) -> anyhow::Result<()> {
    // A connection of one's own: players have five seconds, and this takes longer.
    let mut db = PgConnection::connect(&fixture.url).await?;
    run(&mut db, "set maintenance_work_mem = '256MB'").await?;
    let before = shape(&mut db).await?;
    let parts = parts(&mut db).await?;
    for part in &parts {
        run(&mut db, &part.drop).await?;
    }
    fixture.say(format_args!("{rows} players"));
    sqlx::query(
        "insert into player (player_id, name)
        select gen_random_uuid(), 'climber ' || n from generate_series(1, $1) n",
    )
    .bind(rows as i32)
    .execute(&mut db)
    .await?;
    fixture.say(format_args!("{rows} ratings"));
    sqlx::query(
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown, battles,
            played_at, changed_at)
        select player_id, 1, $1, 25, 3, 1000 + random() * 2000, 5, now(), now() - interval '1 day'
        from player",
    )
    .bind(MODE)
    .execute(&mut db)
    .await?;
    fixture.say("their indexes");
    for part in &parts {
        run(&mut db, &part.make).await?;
    }
    ensure!(shape(&mut db).await? == before, "the schema is not what it was");
    run(&mut db, "vacuum (analyze) rating").await?;
    run(&mut db, "vacuum (analyze) player").await?;
    db.close().await?;
    Ok(())
}

async fn run(db: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(statement)).execute(db).await?;
    Ok(())
}

/// Something that is quicker to make after the rows than with them.
struct Part {
    drop: String,
    make: String,
}

/// Foreign keys of ratings, and all indexes that are no constraint's.
async fn parts(db: &mut PgConnection) -> sqlx::Result<Vec<Part>> {
    let keys: Vec<(String, String)> = sqlx::query_as(
        "select conname::text, pg_get_constraintdef(oid) from pg_constraint
        where conrelid = 'rating'::regclass and contype = 'f'",
    )
    .fetch_all(&mut *db)
    .await?;
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
        where indrelid in ('rating'::regclass, 'player'::regclass)
            and not exists (select from pg_constraint where conindid = indexrelid)",
    )
    .fetch_all(db)
    .await?;
    let keys = keys.into_iter().map(|(name, definition)| Part {
        drop: format!("alter table rating drop constraint {name}"),
        make: format!("alter table rating add constraint {name} {definition}"),
    });
    let indexes = indexes
        .into_iter()
        .map(|(name, definition)| Part { drop: format!("drop index {name}"), make: definition });
    Ok(keys.chain(indexes).collect())
}

/// All indexes and constraints of both tables, in words.
async fn shape(db: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select pg_get_indexdef(indexrelid) as part from pg_index
        where indrelid in ('rating'::regclass, 'player'::regclass)
        union all
        select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
        where conrelid in ('rating'::regclass, 'player'::regclass)
        order by part",
    )
    .fetch_all(db)
    .await
}
