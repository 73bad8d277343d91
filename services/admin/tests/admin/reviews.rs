//! Results that cannot be true are there for staff to look at.

use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::fixture::Fixture;

/// A battle of this server whose result is kept, from so many minutes ago.
async fn keep(db: &PgPool, server: Uuid, minutes: i32) -> Uuid {
    let battle = Uuid::now_v7();
    let make = "insert into battle (battle_id, mode, map, is_ranked, players_max, state)
        values ($1, 'conquest', 'ridge', true, 64, 'cancelled')";
    sqlx::query(make).bind(battle).execute(db).await.unwrap();
    let result = json!({ "last_tick": 36_000, "players": [{ "kills": 1_000 }] });
    let keep = "insert into result_review (battle_id, server_id, misfits, result, received_at)
        values ($1, $2, $3, $4, now() - make_interval(mins => $5))";
    sqlx::query(keep)
        .bind(battle)
        .bind(server)
        .bind(vec!["too_much: 1000 kills".to_owned()])
        .bind(result)
        .bind(minutes)
        .execute(db)
        .await
        .unwrap();
    battle
}

async fn server(db: &PgPool, name: &str) -> Uuid {
    let server = Uuid::now_v7();
    let make = "insert into battle_server (server_id, name, address, fingerprint, version,
            protocol_version, battles_max, players_max, state, lease_until)
        values ($1, $2, 'localhost:1', sha256(''), '1', 3, 1, 64, 'ready', now())";
    sqlx::query(make).bind(server).bind(name).execute(db).await.unwrap();
    server
}

fn battles(page: &Value) -> Vec<Uuid> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["battle_id"].as_str().unwrap().parse().unwrap()).collect()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn results_under_review_are_listed_newest_first_and_shown_whole(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, staff) = fixture.staff("Moderator", "moderator").await;
    let (one, two) = (server(&db, "eu-1").await, server(&db, "eu-2").await);
    // Battles are not kept in the order in which their ids were made.
    let kept = [keep(&db, one, 5).await, keep(&db, two, 9).await, keep(&db, one, 2).await];

    let (status, first) = fixture.get("/v1/admin/reviews?limit=2", &staff).await;
    assert_eq!((status, battles(&first)), (StatusCode::OK, vec![kept[2], kept[0]]), "{first}");
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, last) =
        fixture.get(&format!("/v1/admin/reviews?limit=2&cursor={cursor}"), &staff).await;
    assert_eq!(battles(&last), [kept[1]]);
    assert!(last.get("next_cursor").is_none(), "{last}");
    let (_, of_two) = fixture.get(&format!("/v1/admin/reviews?server_id={two}"), &staff).await;
    assert_eq!(battles(&of_two), [kept[1]]);
    let item = &of_two["items"][0];
    assert_eq!((&item["server"], &item["map"]), (&json!("eu-2"), &json!("ridge")));
    assert_eq!(item["misfits"], json!(["too_much: 1000 kills"]));

    let (_, whole) = fixture.get(&format!("/v1/admin/reviews/{}", kept[1]), &staff).await;
    assert_eq!(&whole["review"], item);
    assert_eq!(whole["result"]["players"][0]["kills"], 1_000);
    assert_eq!(whole["replay_place"], Value::Null);
    let replay = "insert into replay (battle_id, place, bytes, server_id) values ($1, 'x', 9, $2)";
    sqlx::query(replay).bind(kept[0]).bind(one).execute(&db).await.unwrap();
    let (_, whole) = fixture.get(&format!("/v1/admin/reviews/{}", kept[0]), &staff).await;
    assert_eq!((&whole["replay_place"], &whole["replay_server"]), (&json!("x"), &json!("eu-1")));
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_whose_result_is_believed_is_under_no_review(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, staff) = fixture.staff("Moderator", "moderator").await;
    let path = format!("/v1/admin/reviews/{}", Uuid::from_u128(7));
    let (status, body) = fixture.get(&path, &staff).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::NOT_FOUND, &json!("review.unknown")));
}
