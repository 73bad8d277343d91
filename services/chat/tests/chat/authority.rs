//! What a socket keeps of its player follows within a second, whoever changes it and wherever: here
//! it is changed in the database, as another node or an operator would. Nothing is read again by
//! the clock in these tests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sortie_chat::Settings;
use sortie_control::app::AppState;
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::{Client, Node, global, settings};

const WITHIN: Duration = Duration::from_secs(1);

async fn node(db: &PgPool) -> Node {
    let never = Duration::from_secs(86_400);
    let settings = Settings { refresh_every: never, ..settings() };
    Node::start(&AppState::local(db.clone()), settings).await
}

/// Does something to a player.
async fn change(db: &PgPool, statement: &'static str, player: Uuid) -> Instant {
    sqlx::query(statement).bind(player).execute(db).await.unwrap();
    Instant::now()
}

/// Waits for what follows of a change, and no longer than was promised.
async fn follows(since: Instant, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        assert!(since.elapsed() < WITHIN, "{what}: not within {WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn may_say(client: &mut Client) -> bool {
    let say = json!({ "type": "say", "channel": global(), "text": "again" });
    client.ask(say).await["type"] == "ok"
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_new_name_is_spoken_under(db: PgPool) {
    let node = node(&db).await;
    let mut ann = node.player("Ann").await;
    ann.join(&global()).await;
    assert_eq!(ann.say(&global(), "hello").await["author"]["name"], "Ann");
    let rename = "update player set name = 'Renamed' where player_id = $1";
    let since = change(&db, rename, ann.player).await;
    let is_renamed = async || ann.say(&global(), "hello").await["author"]["name"] == "Renamed";
    follows(since, "the name", is_renamed).await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn roles_come_and_go(db: PgPool) {
    let slow = "update chat_channel set slow_mode_s = 3600 where $1 <> channel_id";
    change(&db, slow, Uuid::nil()).await;
    let helper = "insert into role (role, permissions) select 'helper', '{}' where $1 is not null";
    change(&db, helper, Uuid::nil()).await;
    let node = node(&db).await;
    let mut ann = node.player("Ann").await;
    ann.join(&global()).await;
    ann.say(&global(), "once an hour").await;
    assert!(!may_say(&mut ann).await, "moderators alone may");
    for (statement, may) in [
        ("insert into player_role (player_id, role) values ($1, 'moderator')", true),
        ("delete from player_role where player_id = $1", false),
        ("insert into player_role (player_id, role) values ($1, 'helper')", false),
        (
            "update role set permissions = '{chat.moderate}' where role = 'helper'
                and $1 is not null",
            true,
        ),
        ("update role set permissions = '{}' where role = 'helper' and $1 is not null", false),
    ] {
        let since = change(&db, statement, ann.player).await;
        follows(since, statement, async || may_say(&mut ann).await == may).await;
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn mutes_reach_all_sockets_of_a_player(db: PgPool) {
    let node = node(&db).await;
    let (mut ann, mut bob, mut eve) =
        (node.player("Ann").await, node.player("Bob").await, node.player("Eve").await);
    for client in [&mut ann, &mut bob, &mut eve] {
        client.join(&global()).await;
    }
    // Bob's words come to Eve in any case, and after Ann's.
    let mut is_heard = async || {
        ann.say(&global(), "from ann").await;
        bob.say(&global(), "from bob").await;
        let first = eve.hear().await;
        if first == "from ann" {
            assert_eq!(eve.hear().await, "from bob");
        }
        first == "from ann"
    };
    assert!(is_heard().await);
    for (statement, heard) in [
        (
            "insert into chat_mute (player_id, muted)
             select eve.player_id, $1 from player eve where name = 'Eve'",
            false,
        ),
        ("delete from chat_mute where muted = $1", true),
    ] {
        let since = {
            let ann: Uuid = sqlx::query_scalar("select player_id from player where name = 'Ann'")
                .fetch_one(&db)
                .await
                .unwrap();
            change(&db, statement, ann).await
        };
        follows(since, statement, async || is_heard().await == heard).await;
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn bans_and_ended_logins_close_sockets(db: PgPool) {
    let node = node(&db).await;
    for (at, statement) in [
        "insert into ban (ban_id, player_id, scope, reason)
         values (gen_random_uuid(), $1, 'chat', 'rude')",
        "insert into ban (ban_id, player_id, scope, reason)
         values (gen_random_uuid(), $1, 'login', 'aimbot')",
        "update personal.login_session set revoked_at = now() where player_id = $1",
        "delete from personal.login_session where player_id = $1",
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = node.player(&format!("Player {at}")).await;
        client.join(&global()).await;
        let since = change(&db, statement, client.player).await;
        client.closed().await;
        assert!(since.elapsed() < WITHIN, "{statement}: after {:?}", since.elapsed());
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn who_is_out_of_a_party_or_team_hears_it_no_more(db: PgPool) {
    let node = node(&db).await;
    let ann = sortie_testing::player(&db, "Ann").await;
    let place = Uuid::now_v7();
    for statement in [
        "insert into party (party_id, leader, code) values ($1, $2, 'ABCDEF')",
        "insert into party_member (party_id, player_id) values ($1, $2)",
        "insert into battle (battle_id, mode, map, is_ranked, players_max)
            select $1, 'walk', 'plain', false, 8 where $2 is not null",
        "insert into battle_player (battle_id, player_id, team) values ($1, $2, 0)",
    ] {
        sqlx::query(statement).bind(place).bind(ann).execute(&db).await.unwrap();
    }
    let mut ann = node.client(ann).await;
    let channel = |kind: &str, about: String| json!({ "kind": kind, "about": about });
    let (party, team) =
        (channel("party", place.to_string()), channel("team", format!("{place}.0")));
    for channel in [&party, &team] {
        ann.join(channel).await;
    }
    let left = |channel: &Value| {
        json!({ "type": "left", "channel": channel,
        "code": "chat.no_access" })
    };
    for (statement, channel) in [
        ("delete from party_member where player_id = $1", party),
        ("update battle_player set team = 1 where player_id = $1", team),
    ] {
        let since = change(&db, statement, ann.player).await;
        assert_eq!(ann.event().await, left(&channel));
        assert!(since.elapsed() < WITHIN, "{statement}: after {:?}", since.elapsed());
    }
}
