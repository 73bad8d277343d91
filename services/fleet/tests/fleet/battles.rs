//! Lists and details, over REST and gRPC alike.

use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::json;
use sortie_control::app::AppState;
use sortie_control::service::stop;
use sortie_fleet::Settings;
use sortie_rpc::game::v1 as rpc;
use sortie_testing::{call, player, token};
use sqlx::PgPool;
use tonic::Code;
use uuid::Uuid;

use crate::common::{Node, ask, enlist, quick, registration, status, until, until_state, with};

fn rest(app: &AppState) -> Router {
    let (_stopper, stop) = stop();
    sortie_fleet::service(app, Settings::default(), &stop).routes.split_for_parts().0
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn battles_are_listed_newest_first_a_page_at_a_time(db: PgPool) {
    let app = AppState::local(db.clone());
    let (router, token) = (rest(&app), token(&app, player(&db, "Reader").await));
    let mut newest_first = Vec::new();
    for _ in 0..5 {
        newest_first.insert(0, ask(&db, 64).await.to_string());
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/battles?limit=2".to_owned());
    loop {
        let (status, page) = call(&router, Method::GET, &path, Some(&token), None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let ids = page["items"].as_array().unwrap().iter();
        seen.extend(ids.map(|battle| battle["battle_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/battles?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, newest_first);
    let none = call(&router, Method::GET, "/v1/battles?state=finished", Some(&token), None).await;
    assert!(none.1["items"].as_array().unwrap().is_empty());
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn bad_questions_are_refused(db: PgPool) {
    let app = AppState::local(db.clone());
    let (router, token) = (rest(&app), token(&app, player(&db, "Reader").await));
    let cursor = "W10"; // An empty list.
    for (path, expected) in [
        ("/v1/battles?limit=0", 422),
        ("/v1/battles?limit=101", 422),
        (&format!("/v1/battles?cursor={cursor}"), 422),
        ("/v1/battles?state=sleeping", 400),
        ("/v1/battles?limit=many", 400),
        ("/v1/battles/none", 400),
        (&format!("/v1/battles/{}", Uuid::nil()), 404),
    ] {
        let (status, body) = call(&router, Method::GET, path, Some(&token), None).await;
        assert_eq!(status.as_u16(), expected, "{path}: {body}");
        assert!(body["error"]["code"].is_string(), "{body}");
    }
    let (status, _) = call(&router, Method::GET, "/v1/battles", None, None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_is_the_same_over_rest_and_grpc(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let player_id = player(&db, "Soldier").await;
    let token = token(&node.app, player_id);
    let battle = ask(&db, 64).await;
    enlist(&db, battle, player_id).await;
    sqlx::query("update battle_player set kills = 3 where battle_id = $1")
        .bind(battle)
        .execute(&db)
        .await
        .unwrap();
    let path = format!("/v1/battles/{battle}");
    let (status, body) = call(&rest(&node.app), Method::GET, &path, Some(&token), None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!((body["state"].as_str(), body["players"].as_u64()), (Some("asked"), Some(1)));
    assert_eq!(body["participants"][0]["kills"], 3);
    assert_eq!(body["participants"][0]["name"], "Soldier");

    let mut game = node.game().await;
    let request = rpc::GetBattleRequest { battle_id: battle.to_string() };
    let answer = game.get_battle(with(request, &token)).await.unwrap().into_inner();
    let (told, participant) = (answer.battle.unwrap(), &answer.participants[0]);
    assert_eq!((told.state.as_str(), told.players, told.players_max), ("asked", 1, 64));
    assert_eq!((participant.name.as_str(), participant.kills), ("Soldier", 3));
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_finished_battle_is_over_whatever_its_server_told_last(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let token = token(&node.app, player(&db, "Late").await);
    let server = node.fleet().await.register(registration("one", 2)).await;
    let battle = ask(&db, 64).await;
    sqlx::query(
        "update battle set state = 'finished', ended_by = 'round', ended_at = now(),
             server_id = $2,
             status = '{\"tick\": 900, \"players\": 7, \"is_over\": false}' where battle_id = $1",
    )
    .bind(battle)
    .bind(server.uuid())
    .execute(&db)
    .await
    .unwrap();
    let path = format!("/v1/battles/{battle}");
    let (_, body) = call(&rest(&node.app), Method::GET, &path, Some(&token), None).await;
    let status = &body["status"];
    assert_eq!((&body["state"], &status["is_over"]), (&json!("finished"), &json!(true)), "{body}");
    assert_eq!((&status["tick"], &status["players"]), (&json!(900), &json!(0)));
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn grpc_lists_page_by_page_and_refuses_what_rest_refuses(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let token = token(&node.app, player(&db, "Reader").await);
    for _ in 0..3 {
        ask(&db, 64).await;
    }
    let mut game = node.game().await;
    let ask_for = |state: &str, limit, cursor: &str| {
        let (state, cursor) = (state.to_owned(), cursor.to_owned());
        with(rpc::ListBattlesRequest { state, limit, cursor }, &token)
    };
    let first = game.list_battles(ask_for("asked", 2, "")).await.unwrap().into_inner();
    let rest = game.list_battles(ask_for("asked", 2, &first.next_cursor)).await.unwrap();
    assert_eq!((first.battles.len(), rest.get_ref().battles.len()), (2, 1));
    assert!(rest.get_ref().next_cursor.is_empty());
    for (state, limit, cursor) in [("sleeping", 0, ""), ("", 101, ""), ("", 0, "!")] {
        let refused = game.list_battles(ask_for(state, limit, cursor)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn statistics_are_those_of_the_player(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let player_id = player(&db, "Veteran").await;
    let token = token(&node.app, player_id);
    sqlx::query(
        "with mode as (insert into player_statistics (player_id, mode, battles, kills)
             values ($1, 'conquest', 4, 31))
         insert into weapon_statistics (player_id, weapon, shots, hits) values ($1, 'rifle', 9, 5)",
    )
    .bind(player_id)
    .execute(&db)
    .await
    .unwrap();
    let mut game = node.game().await;
    let of = |player: Uuid| {
        with(rpc::GetPlayerStatisticsRequest { player_id: player.to_string() }, &token)
    };
    let found = game.get_player_statistics(of(player_id)).await.unwrap().into_inner();
    assert_eq!((found.modes[0].battles, found.modes[0].kills), (4, 31));
    assert_eq!((found.weapons[0].weapon.as_str(), found.weapons[0].hits), ("rifle", 5));
    let nobody = game.get_player_statistics(of(Uuid::nil())).await.unwrap().into_inner();
    assert!(nobody.modes.is_empty() && nobody.weapons.is_empty());
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_player_who_asks_without_end_is_told_to_wait(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let token = token(&node.app, player(&db, "Poller").await);
    let mut game = node.game().await;
    let mut refused = None;
    for _ in 0..1_000 {
        let request = rpc::GetBattleRequest { battle_id: Uuid::nil().to_string() };
        match game.get_battle(with(request, &token)).await.unwrap_err() {
            status if status.code() == Code::NotFound => {}
            status => {
                refused = Some(status);
                break;
            }
        }
    }
    assert_eq!(refused.expect("a refusal").code(), Code::ResourceExhausted);
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_departure_frees_a_seat_once(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    let battle = ask(&db, 64).await;
    line.order().await;
    let (leaver, stayer) = (player(&db, "Leaver").await, player(&db, "Stayer").await);
    enlist(&db, battle, leaver).await;
    enlist(&db, battle, stayer).await;
    let gone = async || -> Vec<Uuid> {
        sqlx::query_scalar("select player_id from battle_player where gone_at is not null")
            .fetch_all(&db)
            .await
            .unwrap()
    };
    let tell = async |tick, battle_tick| {
        let mut told = status(battle, battle_tick);
        let player_id = leaver.to_string();
        told.gone = vec![sortie_rpc::fleet::v1::Departure { player_id, tick }];
        let mut beat = server.beat();
        beat.battles = vec![told];
        until("it is stored", || async {
            // One that comes right after another is not stored.
            line.send(beat.clone()).await;
            let tick = sqlx::query_scalar("select (status->>'tick')::int4 from battle");
            let tick: Option<i32> = tick.fetch_one(&db).await.unwrap();
            tick == Some(battle_tick as i32)
        })
        .await;
    };
    tell(50, 60).await;
    until_state(&db, battle, "running").await;
    assert_eq!(gone().await, [leaver]);
    // The player has the seat again, and the server has not seen the player yet.
    sqlx::query("update battle_player set gone_at = null").execute(&db).await.unwrap();
    tell(50, 90).await;
    assert!(gone().await.is_empty(), "the same departure counts once");
    tell(100, 120).await;
    assert_eq!(gone().await, [leaver]);
    node.stop().await;
}
