//! What a run leaves in the database: battles and tickets of players who are gone. Nobody may take
//! them up without a word: a battle that nobody comes to holds a server.

use std::collections::HashSet;

use serde::Serialize;
use sortie_battles::battle;
use sortie_whereabouts::queue;
use sqlx::PgPool;
use uuid::Uuid;

use sortie_cli::counts::counted;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Leftover {
    /// Battles that no server had begun. They are cancelled.
    pub battles_cancelled: i64,
    /// Tickets that waited. They are withdrawn.
    pub tickets_withdrawn: i64,
    /// Battles that were under way: they go on, or their results come, when their servers are there
    /// again.
    pub battles_running: i64,
}

impl Leftover {
    /// As a sentence; `None`: there is nothing.
    pub(crate) fn sentence(&self) -> Option<String> {
        (*self != Self::default()).then(|| {
            let (were, go, its) = match self.battles_running {
                1 => ("was", "goes", "its server comes"),
                _ => ("were", "go", "their servers come"),
            };
            format!(
                "from an earlier run: {} that nobody had begun and {} are cancelled, {} that \
                 {were} under way {go} on if {its} back",
                counted(self.battles_cancelled, "battle"),
                counted(self.tickets_withdrawn, "ticket"),
                counted(self.battles_running, "battle"),
            )
        })
    }
}

/// Battles that are not over: whatever comes of them is of the run that asked for them.
///
/// # Errors
/// The database is away.
pub(crate) async fn unfinished(db: &PgPool) -> sqlx::Result<HashSet<Uuid>> {
    let battles = sqlx::query_scalar!(
        "select battle_id from battle where battle_is_live(state) or battle_is_lost(state)"
    );
    Ok(battles.fetch_all(db).await?.into_iter().collect())
}

/// Ends what waits. For a database that nobody else uses: all players and servers are gone.
///
/// # Errors
/// The database is away.
pub(crate) async fn clear(db: &PgPool, why: &str) -> sqlx::Result<Leftover> {
    let mut tx = db.begin().await?;
    let cancelled = battle::cancel_unbegun(&mut tx, why).await?;
    let withdrawn = queue::withdraw_all(&mut tx, why).await?;
    let running = sqlx::query_scalar!(
        r#"select count(*) as "count!" from battle
           where battle_is_running(state) or battle_is_lost(state)"#
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Leftover {
        battles_cancelled: cancelled as i64,
        tickets_withdrawn: withdrawn as i64,
        battles_running: running,
    })
}

#[cfg(test)]
mod tests {
    use sortie_testing::player;

    use super::*;

    async fn battle(db: &PgPool, state: &str) -> Uuid {
        let battle_id = Uuid::now_v7();
        sqlx::query(
            "with s as (
                insert into battle_server (server_id, name, address, fingerprint, version,
                    protocol_version, battles_max, players_max, state, lease_until)
                select gen_random_uuid(), 'server-' || right($1::uuid::text, 12), 'a:1',
                    sha256('a'), '1', 1, 4, 64, 'gone', now()
                where $2 <> 'asked' returning server_id
            ), b as (
                insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id)
                select $1::uuid, 'conquest', 'ridge', true, 64, $2, (select server_id from s)
                returning battle_id
            )
            insert into server_order (server_id, kind, body)
            select server_id, 'open', jsonb_build_object('battle_id', $1::uuid) from s",
        )
        .bind(battle_id)
        .bind(state)
        .execute(db)
        .await
        .unwrap();
        battle_id
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn what_nobody_comes_to_is_cancelled_and_what_was_begun_is_told(db: PgPool) {
        assert_eq!(clear(&db, "a test").await.unwrap().sentence(), None);
        for state in ["asked", "allocated", "running", "finished"] {
            battle(&db, state).await;
        }
        let (player_id, ticket_id) = (player(&db, "Ada").await, Uuid::now_v7());
        sqlx::query(
            "with t as (
                insert into ticket (ticket_id, queue, expires_at, rating, deviation, size)
                values ($1, 'conquest', now(), 25, 8, 1) returning ticket_id
            )
            insert into ticket_open (player_id, ticket_id) select $2, ticket_id from t",
        )
        .bind(ticket_id)
        .bind(player_id)
        .execute(&db)
        .await
        .unwrap();
        assert_eq!(unfinished(&db).await.unwrap().len(), 3);
        let found = clear(&db, "a test").await.unwrap();
        let expected = Leftover { battles_cancelled: 2, tickets_withdrawn: 1, battles_running: 1 };
        assert_eq!(found, expected);
        let sentence = found.sentence().unwrap();
        assert!(sentence.contains("1 ticket are cancelled, 1 battle that was under"), "{sentence}");
        assert_eq!(unfinished(&db).await.unwrap().len(), 1);
        let states: Vec<(String, String)> = sqlx::query_as(
            "select state, coalesce(status->>'waiting', '') from battle order by state, 2",
        )
        .fetch_all(&db)
        .await
        .unwrap();
        let states: Vec<_> = states.iter().map(|(state, why)| (&**state, &**why)).collect();
        let expected =
            [("cancelled", "a test"), ("cancelled", "a test"), ("finished", ""), ("running", "")];
        assert_eq!(states, expected);
        let left = "select (select count(*) from ticket_open),
            (select count(*) from server_order o join battle b
                on b.battle_id = (o.body->>'battle_id')::uuid where b.state = 'cancelled')";
        let left: (i64, i64) = sqlx::query_as(left).fetch_one(&db).await.unwrap();
        assert_eq!(left, (0, 0));
        assert_eq!(clear(&db, "a test").await.unwrap().battles_cancelled, 0);
    }
}
