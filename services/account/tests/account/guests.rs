//! Guests who cannot come back are forgotten.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use uuid::Uuid;

use crate::common::Api;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn guests_without_a_login_are_forgotten_and_their_battles_stay(db: PgPool) {
    let ids: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "insert into player (player_id, name, is_guest, about, created_at)
         select id, 'Somebody ' || n, n <> 4, 'canary', now() - make_interval(days => days)
         from unnest($1::uuid[], array[31, 31, 31, 31, 29]) with ordinality as p (id, days, nth),
             lateral (select nth) as number (n)",
    )
    .bind(&ids)
    .execute(&db)
    .await
    .unwrap();
    for (statement, whose) in [
        (
            "insert into battle (battle_id, mode, map, is_ranked, players_max, state)
             values ($1, 'walk', 'plain', false, 8, 'cancelled')",
            ids[1],
        ),
        ("insert into battle_player (battle_id, player_id, team) values ($1, $1, 0)", ids[1]),
        (
            "insert into personal.login_session (session_id, player_id, expires_at)
             values ($1, $1, now() + interval '1 day')",
            ids[2],
        ),
    ] {
        sqlx::query(statement).bind(whose).execute(&db).await.unwrap();
    }
    let api = Api::new(db);
    let names = "select player_id, name from player where player_id = any($1) order by player_id";
    let started = Instant::now();
    loop {
        let left: Vec<(Uuid, String)> =
            sqlx::query_as(names).bind(&ids).fetch_all(&api.db).await.unwrap();
        if left.len() == 4 && left[0].1.starts_with("Erased") {
            let kept: Vec<Uuid> = left.iter().map(|(id, _)| *id).collect();
            assert_eq!(kept, ids[1..]);
            assert!(left[1..].iter().all(|(_, name)| name.starts_with("Somebody")), "{left:?}");
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{left:?}");
        tokio::task::yield_now().await;
    }
}
