//! What staff write about a player is gone with the player, also what calls left in the audit
//! log, which nothing is ever taken out of.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};
use sortie_control::app::AppState;
use sortie_control::service::{Stopper, stop};
use sqlx::PgPool;
use uuid::Uuid;

use super::services::{Role, Settings, of_roles};

struct Fixture {
    db: PgPool,
    app: AppState,
    routers: BTreeMap<Role, Router>,
    _stopper: Stopper,
}

impl Fixture {
    fn new(db: PgPool) -> Self {
        let app = AppState::local(db.clone());
        let mut settings = Settings::default();
        settings.admin.require_totp = false;
        let (stopper, stop) = stop();
        let mut routers = BTreeMap::new();
        for (role, services) in of_roles(&app, &settings, &Role::ALL, &stop) {
            let routes = services.into_iter().map(|service| service.routes.split_for_parts().0);
            routers.insert(role, routes.fold(Router::new(), Router::merge));
        }
        Self { db, app, routers, _stopper: stopper }
    }

    async fn call(&self, call: &str, token: &str, body: Value) -> (u16, Value) {
        let (method, path) = call.split_once(' ').unwrap();
        let role = if path.starts_with("/v1/admin") { Role::Admin } else { Role::Api };
        let (method, body) = (method.parse::<Method>().unwrap(), (!body.is_null()).then_some(body));
        let token = (!token.is_empty()).then_some(token);
        let (status, body) =
            sortie_testing::call(&self.routers[&role], method, path, token, body).await;
        (status.as_u16(), body)
    }

    async fn done(&self, call: &str, token: &str, body: Value) -> Value {
        let (status, body) = self.call(call, token, body).await;
        assert!((200..300).contains(&status), "{call}: {status} {body}");
        body
    }

    /// With an `Idempotency-Key`, whose answer is kept.
    async fn keyed(&self, call: &str, token: &str, body: Value) {
        let (method, path) = call.split_once(' ').unwrap();
        let (router, method) = (&self.routers[&Role::Admin], method.parse().unwrap());
        let (token, key) = (Some(token), Some("one"));
        let answer =
            sortie_testing::call_with_key(router, method, path, token, key, Some(body)).await;
        assert!(answer.0.is_success(), "{call}: {answer:?}");
        let kept = "select count(*) from idempotency_key where answer::text ilike '%canary%'";
        let kept: i64 = sqlx::query_scalar(kept).fetch_one(&self.db).await.unwrap();
        assert_eq!(kept, 1);
    }

    async fn staff(&self, name: &str, role: &str) -> String {
        let player = sortie_testing::player(&self.db, name).await;
        sortie_testing::grant(&self.db, player, role).await;
        sortie_testing::token(&self.app, player)
    }

    /// A running battle with these players in it.
    async fn battle(&self, players: [Uuid; 2]) -> Uuid {
        let battle = Uuid::now_v7();
        for statement in [
            "insert into battle_server (server_id, name, address, fingerprint, version,
                 protocol_version, battles_max, players_max, state, lease_until)
             values ($1, 'one', 'localhost:1', sha256('x'), '1', 3, 1, 64, 'ready',
                 now() + '1 hour')",
            "insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id)
             values ($1, 'conquest', 'plain', true, 64, 'running', $1)",
        ] {
            sqlx::query(statement).bind(battle).execute(&self.db).await.unwrap();
        }
        let seat = "insert into battle_player (battle_id, player_id, team) values ($1, $2, 0)";
        for player in players {
            sqlx::query(seat).bind(battle).bind(player).execute(&self.db).await.unwrap();
        }
        battle
    }

    /// All rows of all tables that have the canary in them, whatever its case.
    async fn found(&self) -> Vec<String> {
        let tables = "select format('%I.%I', table_schema, table_name)
            from information_schema.tables
            where table_schema in ('public', 'personal') and table_type = 'BASE TABLE'";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&self.db).await.unwrap();
        let mut all = Vec::new();
        for table in tables {
            let rows = format!("select row(t)::text from {table} t where row(t)::text ilike $1");
            let rows = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(rows));
            let rows = rows.bind("%canary%").fetch_all(&self.db).await.unwrap();
            all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
        }
        all
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_staff_wrote_about_an_erased_player_is_nowhere(db: PgPool) {
    let fixture = Fixture::new(db);
    let boss = fixture.staff("Boss", "administrator").await;
    let clerk = fixture.staff("Clerk", "finance").await;
    let guest = fixture.done("POST /v1/accounts/guest", "", json!({})).await;
    let own = guest["tokens"]["access_token"].as_str().unwrap().to_owned();
    let player: Uuid = guest["player"]["player_id"].as_str().unwrap().parse().unwrap();
    let other = sortie_testing::player(&fixture.db, "Other").await;
    let battle = fixture.battle([player, other]).await;

    // What is searched for, or typed where an id belongs, names somebody, too.
    fixture.done("GET /v1/admin/users?q=canary@example.org", &boss, Value::Null).await;
    for (call, token, expected) in [
        ("GET /v1/admin/users/canary@example.org", &boss, 400),
        ("GET /v1/admin/users/canary/notes", &clerk, 403),
        ("GET /v1/admin/users/canary?why=canary", &String::new(), 401),
        // Nor are names of roles, flags and words known before they are there.
        ("DELETE /v1/admin/roles/canary", &boss, 404),
        ("PUT /v1/admin/flags/canary", &boss, 415),
        ("PUT /v1/admin/chat/words/canary", &clerk, 403),
        ("DELETE /v1/admin/chat/words/canary", &String::new(), 401),
    ] {
        let (status, body) = fixture.call(call, token, Value::Null).await;
        assert_eq!(status, expected, "{call} {body}");
    }
    let user = format!("/v1/admin/users/{player}");
    let note = json!({ "text": "canary note, told once" });
    fixture.keyed(&format!("POST {user}/notes"), &boss, note).await;
    for name in ["Canary One", "Canary Two"] {
        fixture.done(&format!("PUT {user}/name"), &boss, json!({ "name": name })).await;
    }
    fixture.done(&format!("POST {user}/notes"), &boss, json!({ "text": "canary note" })).await;
    let kick = json!({ "reason": "canary kicked", "battle_id": battle });
    fixture.done(&format!("POST {user}/kick"), &boss, kick).await;
    let ban = json!({ "player_id": player, "scope": "chat", "reason": "canary banned" });
    let ban = fixture.done("POST /v1/admin/bans", &boss, ban).await;
    let ban = ban["ban_id"].as_str().unwrap();
    let appeal = json!({ "text": "canary appeals" });
    fixture.done(&format!("POST /v1/me/bans/{ban}/appeal"), &own, appeal).await;
    let rejected = json!({ "is_accepted": false });
    fixture.done(&format!("POST /v1/admin/bans/{ban}/appeal"), &boss, rejected).await;
    fixture.done(&format!("POST /v1/admin/bans/{ban}/lift"), &boss, Value::Null).await;
    let fight = format!("/v1/admin/battles/{battle}");
    let text = json!({ "text": "canary, behave" });
    fixture.done(&format!("POST {fight}/messages"), &boss, text).await;
    let end = json!({ "reason": "canary did not" });
    fixture.done(&format!("POST {fight}/end"), &boss, end).await;

    let before = fixture.found().await;
    assert!(before.len() >= 5, "{before:?}");
    let logged: Vec<_> = before.iter().filter(|row| row.starts_with("public.audit")).collect();
    assert!(logged.is_empty(), "{logged:#?}");
    let rows: i64 = sqlx::query_scalar("select count(*) from audit where target like $1")
        .bind(format!("player:{player}"))
        .fetch_one(&fixture.db)
        .await
        .unwrap();
    assert_eq!(rows, 8, "they are told apart by ids");
    // The battle's server carries out what it was told, sooner or later.
    sqlx::query("update server_order set acknowledged_at = now()")
        .execute(&fixture.db)
        .await
        .unwrap();

    fixture.done("DELETE /v1/me", &own, json!({})).await;
    assert_eq!(fixture.found().await, Vec::<String>::new());
}
