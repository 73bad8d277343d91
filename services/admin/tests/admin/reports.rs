//! What players report reaches staff, with the replay that shows it.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::fixture::Fixture;

async fn battle(db: &PgPool, players: &[Uuid]) -> Uuid {
    let battle = Uuid::now_v7();
    let make = "insert into battle (battle_id, mode, map, is_ranked, players_max, state)
        values ($1, 'conquest', 'plain', true, 64, 'cancelled')";
    sqlx::query(make).bind(battle).execute(db).await.unwrap();
    for player in players {
        let seat = "insert into battle_player (battle_id, player_id, team) values ($1, $2, 0)";
        sqlx::query(seat).bind(battle).bind(player).execute(db).await.unwrap();
    }
    let server = "insert into battle_server (server_id, name, address, fingerprint, version,
            protocol_version, battles_max, players_max, state, lease_until)
        select $1, 'eu-1', 'localhost:1', sha256(''), '1', 3, 1, 64, 'ready', now()
        where not exists (select from battle_server)";
    sqlx::query(server).bind(battle).execute(db).await.unwrap();
    let replay = "insert into replay (battle_id, place, bytes, server_id)
        select $1, 'one/replays/x', 9, server_id from battle_server";
    sqlx::query(replay).bind(battle).execute(db).await.unwrap();
    battle
}

async fn report(fixture: &Fixture, token: &str, battle: Uuid, body: Value) -> (u16, String) {
    let path = format!("/v1/battles/{battle}/reports");
    let call = sortie_testing::call(&fixture.public, Method::POST, &path, Some(token), Some(body));
    let (status, body) = call.await;
    (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_player_reports_another_one_of_the_same_battle_once(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, staff) = fixture.staff("Moderator", "moderator").await;
    let (ann, token) = fixture.player("Ann").await;
    let (bob, bobs) = fixture.player("Bob").await;
    let (eve, eves) = fixture.player("Eve").await;
    let fought = battle(&db, &[ann, bob]).await;
    let about = |player: Uuid| {
        let text = "through walls";
        json!({ "player_id": player, "kind": "cheating", "text": text, "tick": 900 })
    };
    let said = |status, code: &str| (status, code.to_owned());
    assert_eq!(report(&fixture, &token, fought, about(bob)).await, said(201, ""));
    assert_eq!(report(&fixture, &token, fought, about(bob)).await, said(409, "report.already"));
    assert_eq!(report(&fixture, &token, fought, about(ann)).await, said(409, "report.oneself"));
    assert_eq!(
        report(&fixture, &token, fought, about(eve)).await,
        said(409, "report.not_in_battle")
    );
    assert_eq!(report(&fixture, &eves, fought, about(bob)).await, said(404, "battle.unknown"));
    let again = battle(&db, &[ann, bob]).await;
    assert_eq!(report(&fixture, &token, again, about(bob)).await, said(201, ""));
    for (field, value) in [("kind", json!("chat")), ("tick", json!(-1)), ("text", json!("\0"))] {
        let mut bad = about(ann);
        bad[field] = value;
        assert_eq!(report(&fixture, &bobs, fought, bad).await.0, 422, "{field}");
    }

    let path = format!("/v1/admin/reports?state=open&kind=cheating&accused={bob}");
    let (_, page) = fixture.get(&path, &staff).await;
    let reports = page["items"].as_array().unwrap();
    assert_eq!(reports.len(), 2, "{page}");
    let first = &reports[1];
    assert_eq!((&first["battle_id"], &first["tick"]), (&json!(fought), &json!(900)));
    assert_eq!(first["replay_place"], "one/replays/x");
    assert_eq!(first["replay_server"], "eu-1", "a path is of some machine");
    let view = format!("/v1/admin/battles/{fought}");
    let (_, detail) = fixture.get(&view, &staff).await;
    assert_eq!(
        (&detail["replay_place"], &detail["replay_server"]),
        (&json!("one/replays/x"), &json!("eu-1"))
    );
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn reports_have_a_rate(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.player("Ann").await;
    let body = json!({ "player_id": Uuid::nil(), "kind": "behaviour" });
    for _ in 0..10 {
        assert_eq!(report(&fixture, &token, Uuid::nil(), body.clone()).await.0, 404);
    }
    assert_eq!(report(&fixture, &token, Uuid::nil(), body).await.0, 429);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn there_are_only_flags_that_do_something(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.staff("Administrator", "administrator").await;
    let put = async |flag: &str, value: Value| {
        let path = format!("/v1/admin/flags/{flag}");
        fixture.call(Method::PUT, &path, &token, Some(json!({ "value": value }))).await.0
    };
    let values = async || {
        let (_, flags) = fixture.get("/v1/admin/flags", &token).await;
        let flags = flags.as_array().unwrap();
        flags.iter().map(|flag| flag["value"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(put("no_such_flag", json!(true)).await, StatusCode::NOT_FOUND);
    assert_eq!(put("sign_up_open", json!("no")).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(values().await, [json!(true), json!(true)]);
    assert_eq!(put("sign_up_open", json!(false)).await, StatusCode::NO_CONTENT);
    assert_eq!(values().await, [json!(false), json!(true)]);
    let path = "/v1/admin/flags/sign_up_open";
    let (status, _) = fixture.call(Method::DELETE, path, &token, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(values().await, [json!(true), json!(true)]);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn without_somebody_who_opens_seasons_none_is_opened(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.staff("Administrator", "administrator").await;
    let (status, body) = fixture.post("/v1/admin/seasons", &token, json!({ "name": "Two" })).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    let (_, page) = fixture.get("/v1/admin/seasons", &token).await;
    assert_eq!(page["items"][0]["name"], "Season 1");
}
