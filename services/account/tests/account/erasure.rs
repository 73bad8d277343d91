//! `DELETE /v1/me`

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::common::{Api, Login, PASSWORD, is_done, is_refused};

/// Writes a canary into every text that can be about a player. `other` is somebody else, who
/// writes about the player, and to whom the player writes.
pub(crate) async fn plant(api: &Api, player: Uuid, other: Uuid) {
    for statement in [
        "update player set about = 'canary-about' where player_id = $1 and $2 is not null",
        "update personal.identity set email = 'canary-email@example.org' where player_id = $1
            and $2 is not null",
        "update personal.credential set totp_secret = 'canary-secret' where player_id = $1
            and $2 is not null",
        "update personal.login_session set agent = 'canary-agent', revoked_why = 'canary-why'
            where player_id = $1 and $2 is not null",
        "insert into personal.staff_note (note_id, player_id, author, text)
            values (gen_random_uuid(), $1, $2, 'canary-note')",
        "insert into personal.reset_token (token_hash, player_id, expires_at)
            select sha256('canary'), $1, now() + interval '1 h' where $2 is not null",
        "insert into ban (ban_id, player_id, scope, reason, appeal_text, issued_by)
            values (gen_random_uuid(), $1, 'chat', 'canary-reason', 'canary-appeal', $2)",
        "insert into chat_message (message_id, channel_id, author, text, said_at)
            select gen_random_uuid(), channel_id, $1, 'canary-message', now() from chat_channel
            where $2 is not null",
        "insert into chat_mute (player_id, muted) values ($1, $2), ($2, $1)",
        "insert into report (report_id, reporter, accused, kind, text)
            values (gen_random_uuid(), $1, $2, 'chat', 'canary-report'),
                (gen_random_uuid(), $2, $1, 'chat', 'canary-accusation')",
        "insert into room (room_id, code, owner, name, mode, map, players_max)
            select gen_random_uuid(), 'ABCDEF', $1, 'canary-room', 'walk', 'field', 8
            where $2 is not null",
        "insert into room (room_id, code, owner, name, mode, map, players_max)
            select gen_random_uuid(), 'ABCDEG', $1, 'canary-passed-on', 'walk', 'field', 8
            where $2 is not null",
        "update room set owner = $2 where code = 'ABCDEG' and owner = $1",
        "insert into idempotency_key (player_id, key, request_hash, answer, about)
            values ($2, 'of-staff', '', '{\"name\":\"canary-told\"}', array[$1::uuid])",
        "insert into idempotency_key (player_id, key, request_hash, answer)
            select $1, 'canary-key', '', '{\"email\":\"canary-answer\"}' where $2 is not null",
        "insert into battle_server (server_id, name, address, fingerprint, version,
                protocol_version, battles_max, players_max, state, lease_until)
            select $1, 'one', 'localhost:1', sha256(''), '1', 1, 1, 8, 'ready', now()
            where $2 is not null",
        "insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id)
            select $1, 'walk', 'field', false, 8, 'running', $1 where $2 is not null",
        "insert into battle_player (battle_id, player_id, team) values ($1, $1, 0), ($1, $2, 1)",
        "insert into server_order (server_id, kind, body) select $1::uuid, kind, jsonb_build_object(
                'battle_id', $1::uuid, 'player_id', $1::uuid,
                'reason', 'canary-' || kind, 'text', 'canary')
            from unnest(array['kick', 'message', 'end']) as kind where $2 is not null",
        "update server_order set acknowledged_at = now()
            where server_id = $1 and kind <> 'kick' and $2 is not null",
        "update server_order set body = body - 'text'
            where server_id = $1 and kind = 'kick' and $2 is not null",
        "insert into party (party_id, leader, code) select $1, $1, 'ABCDEF' where $2 is not null",
        "insert into party_member (player_id, party_id) values ($1, $1), ($2, $1)",
        "insert into player_role (player_id, role, granted_by) values ($1, 'support', $2)",
    ] {
        let query = sqlx::query(statement).bind(player).bind(other);
        query.execute(&api.db).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// Texts in which a player can be: [`plant`] puts a canary there, erasure takes it away.
const PERSONAL: &[&str] = &[
    "ban.appeal_text",
    "ban.reason",
    "chat_message.text",
    "credential.password_phc",
    "credential.totp_secret",
    "idempotency_key.answer",
    "idempotency_key.key",
    "identity.email",
    "identity.email_key",
    "login_session.address",
    "login_session.agent",
    "login_session.revoked_why",
    "player.about",
    "player.name",
    "player.name_key",
    "name_look.look",
    "report.text",
    "room.name",
    "server_order.body",
    "staff_note.text",
];

/// Texts of rows that no player's erasure touches: names of kinds and states, or opaque ids.
/// Whoever writes there writes no names of people: audit rows name players by id.
const OPAQUE: &[&str] = &[
    "_sqlx_migrations",
    "audit",
    "battle",
    "battle_player",
    "battle_server",
    "chat_channel",
    "chat_word",
    "flag",
    "inbox",
    "match_proposal",
    "outbox",
    "party.code",
    "player_role",
    "player_statistics",
    "queue_battle",
    "rating",
    "rating_change",
    "replay",
    "role",
    "season",
    "season_carrying",
    "result_review",
    "server_order.kind",
    "ticket",
    "weapon_statistics",
    "ban.appeal",
    "ban.scope",
    "chat_channel.kind",
    "report.kind",
    "report.state",
    "room.code",
    "room.map",
    "room.mode",
    "room.state",
];

/// All rows of all tables, as text.
async fn dump(db: &PgPool) -> String {
    let tables = "select format('%I.%I', table_schema, table_name) from information_schema.tables
        where table_schema in ('public', 'personal') and table_type = 'BASE TABLE'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(db).await.unwrap();
    assert!(tables.len() > 30);
    let mut all = String::new();
    for table in tables {
        let rows = sqlx::AssertSqlSafe(format!("select row(t)::text from {table} t"));
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(db).await.unwrap();
        for row in rows {
            all.push_str(&format!("{table}: {row}\n"));
        }
    }
    all
}

fn lines_with<'a>(dump: &'a str, text: &str) -> Vec<&'a str> {
    dump.lines().filter(|line| line.to_lowercase().contains(&text.to_lowercase())).collect()
}

async fn erase(api: &Api, login: &Login, body: Value) -> (axum::http::StatusCode, Value) {
    api.call(Method::DELETE, "/v1/me", Some(&login.access), body).await
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_last_administrator_stays_until_another_is_there(db: PgPool) {
    let api = Api::new(db);
    let (ada, bob) = (api.member("Ada").await, api.member("Bob").await);
    let grant = async |player: Uuid| {
        sqlx::query("insert into player_role (player_id, role) values ($1, 'administrator')")
            .bind(player)
            .execute(&api.db)
            .await
            .unwrap();
    };
    grant(ada.player_id).await;
    let password = json!({ "password": PASSWORD });
    let refused = erase(&api, &ada, password.clone()).await;
    let message = refused.1["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("give another player the role"), "{message}");
    is_refused(refused, 409, "role.last_administrator");
    assert_eq!(api.me(&ada.access).await.0, 200, "nothing of it was done");
    grant(bob.player_id).await;
    is_done(erase(&api, &ada, password).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn after_erasure_no_canary_is_left(db: PgPool) {
    let api = Api::new(db);
    let (ada, bob) = (api.member("CanaryAda").await, api.member("Bob").await);
    plant(&api, ada.player_id, bob.player_id).await;
    is_refused(
        api.log_in("canary-email@example.org", "wrong guess").await,
        401,
        "account.wrong_login",
    );
    let before = dump(&api.db).await;
    assert!(lines_with(&before, "canary").len() >= 11, "{before}");

    is_refused(erase(&api, &ada, json!({})).await, 403, "account.wrong_password");
    let wrong = erase(&api, &ada, json!({ "password": "not mine at all" })).await;
    is_refused(wrong, 403, "account.wrong_password");
    is_done(erase(&api, &ada, json!({ "password": PASSWORD })).await);

    let after = dump(&api.db).await;
    assert_eq!(lines_with(&after, "canary"), Vec::<&str>::new());
    assert_eq!(lines_with(&after, "127.0.0.1").len(), 1, "the other player's login stays");
    let id = ada.player_id.to_string();
    let personal: Vec<&str> =
        lines_with(&after, &id).into_iter().filter(|line| line.starts_with("personal.")).collect();
    assert_eq!(personal, Vec::<&str>::new());
    assert_eq!(lines_with(&after, "personal.login_failure"), Vec::<&str>::new());
    // The result of the battle stays, and the server is told that the player goes.
    assert_eq!(lines_with(&after, "public.battle_player").len(), 2);
    let kick = "select body->>'reason' from server_order where kind = 'kick'
        and body->>'player_id' = $1";
    let why: Vec<String> = sqlx::query_scalar(kick).bind(&id).fetch_all(&api.db).await.unwrap();
    assert_eq!(why, ["erased", "erased"]);
    let erase =
        "select count(*) from server_order where kind = 'erase' and body->>'player_id' = $1";
    let orders: i64 = sqlx::query_scalar(erase).bind(&id).fetch_one(&api.db).await.unwrap();
    assert_eq!(orders, 1, "its server takes the name out of journals and replays");

    is_refused(api.me(&ada.access).await, 401, "auth.revoked");
    is_refused(api.refresh(&ada.refresh).await, 401, "account.refresh_invalid");
    is_refused(api.log_in("CanaryAda", PASSWORD).await, 401, "account.wrong_login");
    let path = format!("/v1/players/{id}");
    let gone = api.call(Method::GET, &path, None, Value::Null).await;
    is_refused(gone, 404, "account.unknown_player");
    // Name and address are free again.
    api.member("CanaryAda").await;
    is_done(api.me(&bob.access).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn friends_of_an_erased_player_keep_party_and_room_and_wait_for_nobody(db: PgPool) {
    let api = Api::new(db);
    let (ada, bob) = (api.guest().await, api.guest().await);
    let joined = sqlx::raw_sql(sqlx::AssertSqlSafe(
        "insert into party (party_id, leader, code) values ('ADA', 'ADA', 'ABCDEF');
         insert into party_member (player_id, party_id) values ('ADA', 'ADA'), ('BOB', 'ADA');
         insert into room (room_id, code, owner, name, mode, map, players_max)
             values ('ADA', 'ABCDEF', 'ADA', 'ours', 'walk', 'ridge', 8);
         insert into room_player (player_id, room_id) values ('ADA', 'ADA'), ('BOB', 'ADA');
         insert into match_proposal (match_id, queue, answer_by, win_chance)
             values ('ADA', 'duel', now() + interval '1 h', 0.5);
         insert into ticket (ticket_id, party_id, queue, state, expires_at, rating, deviation, size,
                 match_id)
             values ('ADA', 'ADA', 'duel', 'proposed', now() + interval '1 h', 25, 8, 2, 'ADA'),
                 ('BOB', null, 'duel', 'proposed', now() + interval '1 h', 25, 8, 1, 'ADA');
         insert into ticket_open (player_id, ticket_id) values ('ADA', 'ADA'), ('BOB', 'ADA')"
            .replace("ADA", &ada.player_id.to_string())
            .replace("BOB", &bob.player_id.to_string()),
    ));
    joined.execute(&api.db).await.unwrap();
    is_done(erase(&api, &ada, json!({})).await);
    for (query, expected) in [
        ("select count(*) from party where leader = $1", 1),
        ("select count(*) from party_member where player_id = $1", 1),
        ("select count(*) from room where owner = $1 and state = 'open' and name = '[erased]'", 1),
        ("select count(*) from room_player where player_id = $1", 1),
        ("select count(*) from ticket_open where $1 is not null", 0),
        ("select count(*) from ticket where ticket_id = $1 and state = 'waiting'", 1),
        ("select count(*) from match_proposal where state = 'failed' and $1 is not null", 1),
    ] {
        let count: i64 =
            sqlx::query_scalar(query).bind(bob.player_id).fetch_one(&api.db).await.unwrap();
        assert_eq!(count, expected, "{query}");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_guest_needs_no_password(db: PgPool) {
    let api = Api::new(db);
    let guest = api.guest().await;
    is_done(erase(&api, &guest, json!({})).await);
    is_refused(api.me(&guest.access).await, 401, "auth.revoked");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn somebody_has_decided_for_every_text_column_whether_it_is_personal(db: PgPool) {
    let columns = "select table_name || '.' || column_name from information_schema.columns
        where table_schema in ('public', 'personal')
            and data_type in ('text', 'character varying', 'json', 'jsonb', 'inet')
            and table_name not like 'battle\\_log%'
            and table_name not in (select table_name from information_schema.views)";
    let columns: Vec<String> = sqlx::query_scalar(columns).fetch_all(&db).await.unwrap();
    let undecided: BTreeSet<&str> = columns
        .iter()
        .map(String::as_str)
        .filter(|column| {
            let (table, _) = column.split_once('.').unwrap();
            !PERSONAL.contains(column) && !OPAQUE.contains(column) && !OPAQUE.contains(&table)
        })
        .collect();
    assert!(
        undecided.is_empty(),
        "may a player be named there? Then plant a canary and let erasure take it away; if not, \
        list them as opaque: {undecided:?}"
    );
}
