//! What players read over REST.

use crate::common::Fixture;
use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sortie_control::app::AppState;
use sortie_control::service::stop;
use sortie_ranking::{Settings, service};
use sortie_testing::{call, token};
use sqlx::PgPool;
use uuid::Uuid;

async fn get(app: &AppState, path: &str, caller: Option<Uuid>) -> (StatusCode, Value) {
    let (_, stop) = stop();
    let router: Router = service(app, Settings::default(), &stop).routes.split_for_parts().0;
    let token = caller.map(|caller| token(app, caller));
    call(&router, Method::GET, path, token.as_deref(), None).await
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_player_reads_ratings_changes_and_statistics(db: PgPool) {
    let fixture = Fixture::new(db.clone()).await;
    let app = AppState::local(db);
    let players = fixture.players(8).await;
    for is_ranked in [true, false, true] {
        let battle = fixture.battle_of("conquest", is_ranked).await;
        fixture.store(fixture.report(battle, &players)).await;
    }
    let me = Some(players[0]);
    let of = |what: &str| format!("/v1/players/{}/{what}", players[0]);

    let (status, ratings) = get(&app, &of("ratings"), me).await;
    assert_eq!(status, StatusCode::OK);
    let rating = &ratings["ratings"][0];
    assert_eq!((&rating["mode"], &rating["battles"]), (&json!("conquest"), &json!(2)));
    assert_eq!((&rating["wins"], &rating["losses"]), (&json!(2), &json!(0)));
    assert!(rating["rating"].as_f64().unwrap() > 25.0);

    let (_, first) = get(&app, &of("rating-changes?limit=2"), me).await;
    let reasons: Vec<_> = first["items"].as_array().unwrap().iter().map(|c| &c["reason"]).collect();
    assert_eq!(reasons, ["ranked", "battle_unranked"]);
    assert_eq!(first["items"][0]["shown_after"], rating["shown"]);
    assert_eq!(first["items"][0]["rating_before"], first["items"][1]["rating_after"]);
    let next = format!("rating-changes?cursor={}", first["next_cursor"].as_str().unwrap());
    let (_, last) = get(&app, &of(&next), me).await;
    assert_eq!(last["items"].as_array().unwrap().len(), 1);
    assert_eq!(last["items"][0]["shown_before"], 1_000);
    assert!(last.get("next_cursor").is_none());

    let (status, statistics) = get(&app, &of("statistics"), me).await;
    assert_eq!(status, StatusCode::OK);
    let mode = &statistics["modes"][0];
    assert_eq!(
        (&mode["battles"], &mode["kills"], &mode["wins"]),
        (&json!(3), &json!(9), &json!(3))
    );
    assert_eq!((&mode["seconds_played"], &mode["accuracy"]), (&json!(360), &json!(0.4)));
    let rifle = json!({"weapon": "rifle", "shots": 120, "hits": 54, "kills": 9, "accuracy": 0.45});
    assert_eq!(statistics["weapons"][0], rifle);

    let (_, seasons) = get(&app, "/v1/seasons", None).await;
    assert_eq!(seasons["items"][0]["name"], "Season 1");
    assert_eq!(seasons["items"][0]["ends_at"], Value::Null);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn bad_questions_are_refused_with_codes(db: PgPool) {
    let fixture = Fixture::new(db.clone()).await;
    let app = AppState::local(db);
    let me = Some(fixture.players(1).await[0]);
    let nobody = Uuid::now_v7();
    let not_found = StatusCode::NOT_FOUND;
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    for what in ["ratings", "rating-changes", "statistics"] {
        let path = format!("/v1/players/{nobody}/{what}");
        expect(&app, &path, me, not_found, "ranking.unknown_player").await;
        expect(&app, &path, None, StatusCode::UNAUTHORIZED, "auth.missing").await;
        let path = format!("/v1/players/me/{what}");
        expect(&app, &path, me, StatusCode::BAD_REQUEST, "request.path").await;
    }
    let board = "/v1/leaderboards";
    for (path, status, code) in [
        ("/chess", not_found, "ranking.unknown_leaderboard"),
        ("/conquest?season=99", not_found, "ranking.unknown_season"),
        ("/conquest?season=x", StatusCode::BAD_REQUEST, "request.query"),
        ("/conquest?limit=0", unprocessable, "request.limit"),
        ("/conquest?limit=101", unprocessable, "request.limit"),
        ("/conquest?cursor=%00", unprocessable, "request.cursor"),
        // [-1, 0, nil]
        (
            "/conquest?cursor=Wy0xLDAsIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJd",
            unprocessable,
            "request.cursor",
        ),
        ("/walk/around-me?around=0", unprocessable, "request.around"),
        ("/walk/around-me?around=51", unprocessable, "request.around"),
        ("/walk/around-me", not_found, "ranking.not_ranked"),
        ("/chess/around-me", not_found, "ranking.unknown_leaderboard"),
    ] {
        expect(&app, &format!("{board}{path}"), me, status, code).await;
    }
    let around = format!("{board}/walk/around-me");
    expect(&app, &around, None, StatusCode::UNAUTHORIZED, "auth.missing").await;
}

async fn expect(app: &AppState, path: &str, me: Option<Uuid>, status: StatusCode, code: &str) {
    let (found, body) = get(app, path, me).await;
    assert_eq!((found, body["error"]["code"].as_str()), (status, Some(code)), "{path}");
}

#[test]
fn every_route_is_described() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let db = PgPool::connect_lazy("postgres://localhost/none").unwrap();
    let (_, stop) = stop();
    let service = service(&AppState::local(db), Settings::default(), &stop);
    let api = service.routes.split_for_parts().1;
    assert_eq!(api.paths.paths.len(), 6);
    for (path, item) in &api.paths.paths {
        let get = item.get.as_ref().unwrap_or_else(|| panic!("{path} cannot be read"));
        assert_eq!(get.tags.as_deref(), Some(&["ranking".to_owned()][..]));
        assert!(get.summary.as_ref().is_some_and(|summary| !summary.is_empty()), "{path}");
        let is_public = path == "/v1/seasons" || path == "/v1/leaderboards/{mode}";
        assert_eq!(get.security.is_none(), is_public, "{path}");
    }
}
