//! Bans: at once, for a time, lifted, appealed against, written down.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sortie_control::bus::Heard;
use sortie_control::revoked::{self, Revocation};
use sqlx::PgPool;
use uuid::Uuid;

use crate::fixture::Fixture;

fn ban(player: Uuid, scope: &str) -> Value {
    json!({ "player_id": player, "scope": scope, "reason": "aimbot" })
}

/// A running battle with the player in it.
async fn fights(db: &PgPool, player: Uuid) -> Uuid {
    let (server, battle) = (Uuid::now_v7(), Uuid::now_v7());
    sqlx::query(
        "insert into battle_server (server_id, name, address, fingerprint, version,
             protocol_version, battles_max, players_max, state, lease_until)
         values ($1, 'one', 'localhost:1', sha256('x'), '1', 3, 1, 64, 'ready', now() + '5s')",
    )
    .bind(server)
    .execute(db)
    .await
    .unwrap();
    sqlx::query(
        "insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id)
         values ($1, 'conquest', 'plain', true, 64, 'running', $2)",
    )
    .bind(battle)
    .bind(server)
    .execute(db)
    .await
    .unwrap();
    sqlx::query("insert into battle_player (battle_id, player_id, team) values ($1, $2, 0)")
        .bind(battle)
        .bind(player)
        .execute(db)
        .await
        .unwrap();
    battle
}

/// A login as the service of accounts opens it; gives its access token.
async fn log_in(fixture: &Fixture, player: Uuid) -> String {
    let session = Uuid::now_v7();
    sqlx::query(
        "insert into personal.login_session (session_id, player_id, expires_at)
         values ($1, $2, now() + interval '1 day')",
    )
    .bind(session)
    .bind(player)
    .execute(&fixture.app.db)
    .await
    .unwrap();
    fixture.app.access.issue(player, session, false, time::OffsetDateTime::now_utc())
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_ban_from_logging_in_is_live_within_a_second(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (moderator, token) = fixture.staff("Moderator", "moderator").await;
    let (player, _) = fixture.player("Cheater").await;
    let theirs = log_in(&fixture, player).await;
    let battle = fights(&db, player).await;
    let mut heard = fixture.app.bus.topics.subscribe(revoked::TOPIC).await.unwrap();
    let mine = "/v1/me/bans";
    let (status, _) =
        sortie_testing::call(&fixture.public, Method::GET, mine, Some(&theirs), None).await;
    assert_eq!(status, StatusCode::OK);

    let (status, body) = fixture.post("/v1/admin/bans", &token, ban(player, "login")).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!(body["issued_by"], json!(moderator));
    let first = tokio::time::timeout(Duration::from_secs(1), heard.next()).await.unwrap();
    let Some(Heard::Message(bytes)) = first else { panic!("{first:?}") };
    let told: Revocation = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((told.player_id, told.scope.as_str()), (player, "login"));
    // The token of this very second is refused, too: its login was named.
    let (status, body) =
        sortie_testing::call(&fixture.public, Method::GET, mine, Some(&theirs), None).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::UNAUTHORIZED, &json!("auth.revoked"))
    );
    let (kind, order): (String, Value) =
        sqlx::query_as("select kind, body from server_order").fetch_one(&db).await.unwrap();
    assert_eq!((kind.as_str(), &order["battle_id"]), ("kick", &json!(battle)));
    assert_eq!(order["player_id"], json!(player));
    let why: String = sqlx::query_scalar("select revoked_why from personal.login_session")
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(why, "ban");
    let (action, after): (String, Value) =
        sqlx::query_as("select action, after from audit").fetch_one(&db).await.unwrap();
    assert_eq!((action.as_str(), &after["kicked_from"]), ("bans.create", &json!(1)));
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_ban_takes_the_player_out_of_the_queue(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.staff("Moderator", "moderator").await;
    let (player, _) = fixture.player("Waiting").await;
    let ticket = Uuid::now_v7();
    for statement in [
        "insert into ticket (ticket_id, queue, expires_at, rating, deviation, size)
         values ($1, 'conquest', now() + '1 min', 25, 8, 1)",
        "insert into ticket_player (ticket_id, player_id, rating, deviation)
         values ($1, $2, 25, 8)",
        "insert into ticket_open (player_id, ticket_id) values ($2, $1)",
    ] {
        let mut query = sqlx::query(statement).bind(ticket);
        if statement.contains("$2") {
            query = query.bind(player);
        }
        query.execute(&db).await.unwrap();
    }
    fixture.post("/v1/admin/bans", &token, ban(player, "matchmaking")).await;
    let state: String =
        sqlx::query_scalar("select state from ticket").fetch_one(&db).await.unwrap();
    let open: i64 =
        sqlx::query_scalar("select count(*) from ticket_open").fetch_one(&db).await.unwrap();
    assert_eq!((state.as_str(), open), ("cancelled", 0));
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_ban_ends_by_itself_or_is_lifted_once(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.staff("Moderator", "moderator").await;
    let (player, _) = fixture.player("Talker").await;
    let mut past = ban(player, "chat");
    past["expires_at"] = json!("2020-01-01T00:00:00Z");
    let (status, _) = fixture.post("/v1/admin/bans", &token, past).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, made) = fixture.post("/v1/admin/bans", &token, ban(player, "chat")).await;
    let lift = format!("/v1/admin/bans/{}/lift", made["ban_id"].as_str().unwrap());
    assert_eq!(fixture.call(Method::POST, &lift, &token, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(fixture.call(Method::POST, &lift, &token, None).await.0, StatusCode::CONFLICT);
    let (before, after): (Value, Value) = sqlx::query_as(
        "select before, after from audit where action = 'bans.lift'
             and outcome = 'done'",
    )
    .fetch_one(&db)
    .await
    .unwrap();
    assert_eq!((&before["is_in_force"], &after["is_in_force"]), (&json!(true), &json!(false)));

    let (_, made) = fixture.post("/v1/admin/bans", &token, ban(player, "chat")).await;
    let in_force = format!("/v1/admin/bans?in_force=true&player_id={player}");
    assert_eq!(fixture.get(&in_force, &token).await.1["items"].as_array().unwrap().len(), 1);
    sqlx::query(
        "update ban set issued_at = now() - interval '2 hours',
        expires_at = now() - interval '1 hour' where ban_id = $1::uuid",
    )
    .bind(made["ban_id"].as_str().unwrap().parse::<Uuid>().unwrap())
    .execute(&db)
    .await
    .unwrap();
    assert_eq!(fixture.get(&in_force, &token).await.1["items"].as_array().unwrap().len(), 0);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_player_appeals_once_and_an_accepted_appeal_lifts(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.staff("Moderator", "moderator").await;
    let (player, theirs) = fixture.player("Innocent").await;
    let (_, made) = fixture.post("/v1/admin/bans", &token, ban(player, "chat")).await;
    let id = made["ban_id"].as_str().unwrap();
    let path = format!("/v1/me/bans/{id}/appeal");
    let appeal = |token: String| {
        let (public, path) = (fixture.public.clone(), path.clone());
        let body = Some(json!({ "text": "it was my brother" }));
        async move {
            let call = sortie_testing::call(&public, Method::POST, &path, Some(&token), body);
            call.await.0
        }
    };
    let (_, other) = fixture.player("Other").await;
    assert_eq!(appeal(other).await, StatusCode::NOT_FOUND);
    assert_eq!(appeal(theirs.clone()).await, StatusCode::NO_CONTENT);
    assert_eq!(appeal(theirs).await, StatusCode::CONFLICT);
    let decide = format!("/v1/admin/bans/{id}/appeal");
    let (status, _) = fixture.post(&decide, &token, json!({ "is_accepted": true })).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, detail) = fixture.get(&format!("/v1/admin/bans/{id}"), &token).await;
    assert_eq!(detail["ban"]["is_in_force"], json!(false));
    let (status, _) = fixture.post(&decide, &token, json!({ "is_accepted": false })).await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn who_may_not_log_in_appeals_with_the_token_of_the_refused_login(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.staff("Moderator", "moderator").await;
    let (player, access) = fixture.player("Innocent").await;
    let ban_of = async |scope| {
        let (_, made) = fixture.post("/v1/admin/bans", &token, ban(player, scope)).await;
        made["ban_id"].as_str().unwrap().parse::<Uuid>().unwrap()
    };
    let (login, chat) = (ban_of("login").await, ban_of("chat").await);
    let now = time::OffsetDateTime::now_utc();
    let keys = &fixture.app.access;
    let good = keys.issue_appeal(player, login, now);
    let appeal = async |ban: Uuid, token: &str| {
        let (public, path) = (&fixture.public, format!("/v1/bans/{ban}/appeal"));
        let body = Some(json!({ "appeal_token": token, "text": "it was my brother" }));
        let (status, body) = sortie_testing::call(public, Method::POST, &path, None, body).await;
        (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let refused = |status, code: &str| (status, code.to_owned());
    let old = keys.issue_appeal(player, login, now - time::Duration::hours(2));
    for token in ["", access.as_str(), old.as_str()] {
        assert_eq!(appeal(login, token).await, refused(401, "ban.appeal_token"));
    }
    assert_eq!(appeal(chat, &good).await, refused(404, "ban.unknown"));
    let stranger = keys.issue_appeal(Uuid::from_u128(9), login, now);
    assert_eq!(appeal(login, &stranger).await, refused(404, "ban.unknown"));
    assert_eq!(appeal(login, &good).await, refused(204, ""));
    assert_eq!(appeal(login, &good).await, refused(409, "ban.appeal_decided"));
    // It opens nothing else.
    let bans =
        sortie_testing::call(&fixture.public, Method::GET, "/v1/me/bans", Some(&good), None).await;
    assert_eq!(bans.0, StatusCode::UNAUTHORIZED);
    let open = "/v1/admin/bans?appealed=true";
    assert_eq!(fixture.get(open, &token).await.1["items"].as_array().unwrap().len(), 1);
    let mut last = refused(0, "");
    for _ in 0..10 {
        last = appeal(login, &good).await;
    }
    assert_eq!(last, refused(429, "request.rate_limited"));
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn parallel_bans_all_stand_and_the_chain_holds(db: PgPool) {
    let fixture = std::sync::Arc::new(Fixture::new(db.clone()));
    let (_, token) = fixture.staff("Administrator", "administrator").await;
    let (player, _) = fixture.player("Cheater").await;
    let calls: Vec<_> = (0..8)
        .map(|nth| {
            let (fixture, token) = (std::sync::Arc::clone(&fixture), token.clone());
            let scope = ["login", "chat", "matchmaking", "purchase"][nth % 4];
            tokio::spawn(async move {
                fixture.post("/v1/admin/bans", &token, ban(player, scope)).await.0
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), StatusCode::CREATED);
    }
    let (_, verified) = fixture.get("/v1/admin/audit/verification", &token).await;
    assert_eq!((&verified["is_whole"], &verified["head_seq"]), (&json!(true), &json!(8)));
    for statement in [
        "alter table audit disable trigger audit_keep",
        "update audit set target = 'player:nobody' where seq = 5",
    ] {
        sqlx::query(statement).execute(&db).await.unwrap();
    }
    let (_, verified) = fixture.get("/v1/admin/audit/verification", &token).await;
    assert_eq!((&verified["is_whole"], &verified["first_broken"]), (&json!(false), &json!(5)));
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_cookie_is_no_login(db: PgPool) {
    // Browsers send cookies by themselves, which is what CSRF lives on; they never send a Bearer.
    use tower::ServiceExt;
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.staff("Administrator", "administrator").await;
    let request = axum::http::Request::get("/v1/admin/roles")
        .header("cookie", format!("authorization=Bearer {token}; token={token}"))
        .body(axum::body::Body::empty())
        .unwrap();
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}
