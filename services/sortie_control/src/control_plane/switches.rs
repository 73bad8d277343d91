//! What staff switch in one service, another one obeys.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};
use sortie_control::app::AppState;
use sortie_control::service::stop;
use sqlx::PgPool;

use super::services::{Role, Settings, of_roles};

fn routers(app: &AppState) -> BTreeMap<Role, Router> {
    let mut settings = Settings::default();
    settings.admin.require_totp = false;
    settings.account.cost = sortie_account::hasher::Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let (_stopper, stop) = stop();
    let mut routers = BTreeMap::new();
    for (role, services) in of_roles(app, &settings, &Role::ALL, &stop) {
        let routes = services.into_iter().map(|service| service.routes.split_for_parts().0);
        routers.insert(role, routes.fold(Router::new(), Router::merge));
    }
    routers
}

async fn call(router: &Router, call: &str, token: Option<&str>, body: Value) -> (u16, Value) {
    let (method, path) = call.split_once(' ').unwrap();
    let method = method.parse::<Method>().unwrap();
    let (status, body) = sortie_testing::call(router, method, path, token, Some(body)).await;
    (status.as_u16(), body)
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn flags_close_sign_up_and_queues_and_a_season_is_opened(db: PgPool) {
    let app = AppState::local(db.clone());
    let routers = routers(&app);
    let (api, admin) = (&routers[&Role::Api], &routers[&Role::Admin]);
    let staff = sortie_testing::player(&db, "Staff").await;
    sortie_testing::grant(&db, staff, "operator").await;
    let staff = sortie_testing::token(&app, staff);
    let staff = Some(staff.as_str());
    let player = sortie_testing::player(&db, "Player").await;
    let player = sortie_testing::token(&app, player);

    let member = json!({ "name": "Somebody", "email": "a@example.org",
        "password": "correct horse battery" });
    let queue = json!({ "queue": "conquest" });
    let calls = [
        ("POST /v1/accounts", None, member, "sign_up_open", "account.sign_up_closed"),
        ("POST /v1/accounts/guest", None, json!({}), "sign_up_open", "account.sign_up_closed"),
        (
            "POST /v1/matchmaking/tickets",
            Some(player.as_str()),
            queue,
            "matchmaking_open",
            "matchmaking.closed",
        ),
    ];
    for (what, token, body, flag, code) in calls {
        let set = format!("PUT /v1/admin/flags/{flag}");
        assert_eq!(call(admin, &set, staff, json!({ "value": false })).await.0, 204);
        let (_, refused) = call(api, what, token, body.clone()).await;
        assert_eq!(refused["error"]["code"], code, "{what}");
        assert_eq!(call(admin, &set, staff, json!({ "value": true })).await.0, 204);
        assert_eq!(call(api, what, token, body).await.0, 201, "{what}");
    }

    let open = "POST /v1/admin/seasons";
    let (status, season) = call(admin, open, staff, json!({ "name": "Season 2" })).await;
    assert_eq!((status, &season["season_id"]), (201, &json!(2)), "{season}");
    let (status, refused) = call(admin, open, staff, json!({ "name": "Season 1" })).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("ranking.season_name_taken")));
    let (_, seasons) = sortie_testing::call(api, Method::GET, "/v1/seasons", None, None).await;
    assert_eq!(seasons["items"][0]["name"], "Season 2");
    assert!(seasons["items"][1]["ends_at"].is_string(), "{seasons}");
    let logged: Vec<String> =
        sqlx::query_scalar("select outcome from audit where action = 'seasons.open' order by seq")
            .fetch_all(&db)
            .await
            .unwrap();
    assert_eq!(logged, ["done", "failed"]);
}
