//! B7: a node whose clock is a year ahead of the database's forgets no message of today.
//! Goes to services/chat/tests, with Postgres.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

/// The same database for another session, whose clock is a year behind that of this machine.
async fn a_year_behind(db: &PgPool) -> PgPool {
    for statement in [
        "create schema year_behind",
        "create function year_behind.now() returns timestamptz stable language sql
            as 'select pg_catalog.now() - interval ''1 year'''",
        "create function year_behind.clock_timestamp() returns timestamptz volatile language sql
            as 'select pg_catalog.clock_timestamp() - interval ''1 year'''",
    ] {
        sqlx::query(statement).execute(db).await.unwrap();
    }
    let path = [("search_path", "year_behind,pg_catalog,public")];
    let options = (*db.connect_options()).clone().options(path);
    PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_message_of_today_is_kept(db: PgPool) {
    let author = sortie_control::testing::player(&db, "Ann").await;
    let db = a_year_behind(&db).await;
    let second: i64 = sqlx::query_scalar("select extract(epoch from now())::bigint")
        .fetch_one(&db)
        .await
        .unwrap();
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, second as u64, 0);
    let say = "insert into chat_message (message_id, channel_id, author, text, said_at)
        select $1, channel_id, $2, 'hello', now() from chat_channel limit 1";
    sqlx::query(say).bind(Uuid::new_v7(stamp)).bind(author).execute(&db).await.unwrap();
    let kept = Duration::from_secs(90 * 86_400);
    let forgotten = sortie_chat::forget_old(&db, kept).await.unwrap();
    assert!(forgotten == 0, "B7: a node with a wrong clock erased {forgotten} message of today");
}
