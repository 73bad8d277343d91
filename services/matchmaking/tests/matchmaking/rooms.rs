//! Rooms: battles that players arrange themselves.

use crate::support::{Node, queue};
use serde_json::{Value, json};
use sortie_control::store::MIGRATOR;
use sqlx::PgPool;
use uuid::Uuid;

fn about(is_public: bool) -> Value {
    json!({ "name": "Friday night", "mode": "conquest", "map": "ridge", "players_max": 4,
        "is_public": is_public, "duration_s": 300 })
}

async fn open(node: &Node, owner: Uuid, is_public: bool) -> (String, Option<Value>) {
    let room = node.ok(owner, "POST", "/v1/rooms", Some(about(is_public))).await;
    let body = json!({ "code": room["code"] });
    (room["room_id"].as_str().unwrap().to_owned(), Some(body))
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn friends_meet_choose_teams_and_fight(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob, eve] = node.players(["Ada", "Bob", "Eve"]).await;
    let (room, code) = open(&node, ada, false).await;
    let start = format!("/v1/rooms/{room}/start");
    let alone = node.refused(ada, "POST", &start, None).await;
    assert_eq!(alone, (409, "room.too_few".to_owned()));
    node.ok(bob, "POST", "/v1/rooms/join", code.clone()).await;
    node.ok(ada, "POST", &format!("/v1/rooms/{room}/team"), Some(json!({ "team": 1 }))).await;
    let guest = node.refused(bob, "POST", &start, None).await;
    assert_eq!(guest, (403, "room.not_owner".to_owned()));
    let started = node.ok(ada, "POST", &start, None).await;
    assert_eq!(started["state"], "started");
    let battle_id = started["battle_id"].as_str().unwrap().to_owned();
    let seen = node.ok(bob, "GET", &format!("/v1/rooms/{room}"), None).await;
    assert_eq!(seen["battle_id"], battle_id.as_str());
    assert_eq!(node.count("select count(*) from battle where not is_ranked").await, 1);
    let again = node.refused(ada, "POST", &start, None).await;
    assert_eq!(again, (409, "room.not_open".to_owned()));

    node.run_battle(&battle_id).await;
    node.ok(eve, "POST", "/v1/rooms/join", code).await;
    node.ok(eve, "POST", &format!("/v1/battles/{battle_id}/join"), None).await;
    let teams = "select count(*) from battle_player where team = 0";
    assert_eq!(node.count(teams).await, 2, "one against one, and Eve to the first");
    node.set_battle(&battle_id, "finished").await;
    node.clean_up().await;
    assert_eq!(node.count("select count(*) from room where state = 'closed'").await, 1);
    assert_eq!(node.count("select count(*) from room_player").await, 0);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn public_rooms_are_listed_by_pages_and_private_ones_are_not(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let owners = node.players(["Ada", "Bob", "Eve", "Joe"]).await;
    let mut rooms = Vec::new();
    for (number, &owner) in owners.iter().enumerate() {
        rooms.push(open(&node, owner, number != 1).await.0);
        node.wait_s(1);
    }
    let first = node.ok(owners[0], "GET", "/v1/rooms?limit=2", None).await;
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|room| room["room_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), [rooms[3].clone(), rooms[2].clone()]);
    assert!(first["items"][0]["code"].is_null(), "codes are not for the list");
    let next = format!("/v1/rooms?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = node.ok(owners[0], "GET", &next, None).await;
    assert_eq!(ids(&second), [rooms[0].clone()]);
    assert!(second["next_cursor"].is_null());
    let private = node.refused(owners[0], "GET", &format!("/v1/rooms/{}", rooms[1]), None).await;
    assert_eq!(private, (404, "room.unknown".to_owned()));
    // No route tells that it is there: all answer as for a room that never was.
    for path in [format!("/v1/rooms/{}", rooms[1]), format!("/v1/rooms/{}", Uuid::now_v7())] {
        for (method, path, body) in [
            ("GET", path.clone(), None),
            ("DELETE", path.clone(), None),
            ("POST", format!("{path}/start"), None),
            ("POST", format!("{path}/team"), Some(json!({ "team": 1 }))),
        ] {
            let refused = node.refused(owners[0], method, &path, body).await;
            assert_eq!(refused, (404, "room.unknown".to_owned()), "{method} {path}");
        }
    }
    let bad = node.refused(owners[0], "GET", "/v1/rooms?limit=101", None).await;
    assert_eq!(bad, (422, "request.limit".to_owned()));
    let bad = node.refused(owners[0], "GET", "/v1/rooms?cursor=!!", None).await;
    assert_eq!(bad, (422, "request.cursor".to_owned()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_owner_leaves_and_the_next_one_owns(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let (room, code) = open(&node, ada, true).await;
    node.ok(bob, "POST", "/v1/rooms/join", code).await;
    node.ok(ada, "POST", "/v1/rooms/leave", None).await;
    let path = format!("/v1/rooms/{room}");
    assert_eq!(node.ok(bob, "GET", &path, None).await["owner"], json!(bob));
    let former = node.refused(ada, "DELETE", &path, None).await;
    assert_eq!(former, (403, "room.not_owner".to_owned()));
    node.ok(bob, "DELETE", &path, None).await;
    let twice = node.refused(bob, "DELETE", &path, None).await;
    assert_eq!(twice, (409, "room.not_open".to_owned()));
    let out = node.refused(bob, "POST", "/v1/rooms/leave", None).await;
    assert_eq!(out, (404, "room.unknown".to_owned()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_cannot_be_is_refused(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob, eve, joe, sue, max] =
        node.players(["Ada", "Bob", "Eve", "Joe", "Sue", "Max"]).await;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(61))),
        ("name", json!("a\u{7}b")),
        ("name", json!("\u{3164}\u{3164}\u{3164}\u{3164}")),
        ("name", json!("\u{202e}thgin yadirF")),
        ("name", json!("Fr\u{456}day")),
        ("name", json!("Admin room of all")),
        ("mode", json!("chess")),
        ("map", json!("nowhere")),
        ("players_max", json!(1)),
        ("players_max", json!(2049)),
        ("players_max", json!(-1)),
        ("duration_s", json!(4)),
        ("duration_s", json!(3_601)),
    ] {
        // Each with a player of its own: the number of tries is limited, too.
        let name = format!("{field} {}", value.to_string().len());
        let player = sortie_testing::player(&db, &name).await;
        let mut body = about(true);
        body[field] = value;
        let refused = node.refused(player, "POST", "/v1/rooms", Some(body)).await;
        assert_eq!(refused, (422, "request.fields".to_owned()), "{field}");
    }
    let (room, code) = open(&node, ada, true).await;
    let second = node.refused(ada, "POST", "/v1/rooms", Some(about(true))).await;
    assert_eq!(second, (409, "room.in_another".to_owned()));
    let seated = Some(json!({ "queue": "duel" }));
    let seated = node.refused(ada, "POST", "/v1/matchmaking/tickets", seated).await;
    assert_eq!(seated, (409, "matchmaking.in_room".to_owned()));
    node.wait_in(max, "duel").await;
    let waits = node.refused(max, "POST", "/v1/rooms/join", code.clone()).await;
    assert_eq!(waits, (409, "party.waiting".to_owned()));
    let bad = Some(json!({ "code": "ABCDEF" }));
    let unknown = node.refused(bob, "POST", "/v1/rooms/join", bad).await;
    assert_eq!(unknown, (404, "room.unknown".to_owned()));
    let team = format!("/v1/rooms/{room}/team");
    let stranger = node.refused(bob, "POST", &team, Some(json!({ "team": 0 }))).await;
    assert_eq!(stranger, (404, "room.unknown".to_owned()));
    for player in [bob, eve, joe] {
        node.ok(player, "POST", "/v1/rooms/join", code.clone()).await;
    }
    let fifth = node.refused(sue, "POST", "/v1/rooms/join", code.clone()).await;
    assert_eq!(fifth, (409, "room.full".to_owned()));
    let third = node.refused(ada, "POST", &team, Some(json!({ "team": 2 }))).await;
    assert_eq!(third, (422, "request.fields".to_owned()));
    for player in [ada, bob] {
        node.ok(player, "POST", &team, Some(json!({ "team": 0 }))).await;
    }
    let crowded = node.refused(eve, "POST", &team, Some(json!({ "team": 0 }))).await;
    assert_eq!(crowded, (409, "room.full".to_owned()));
    node.ban(sue, "matchmaking").await;
    for (path, body) in [("/v1/rooms", Some(about(true))), ("/v1/rooms/join", code)] {
        let banned = node.refused(sue, "POST", path, body).await;
        assert_eq!(banned, (403, "matchmaking.banned".to_owned()), "{path}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn two_players_hold_one_room_battle_however_they_go_about_it(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob, eve, joe] = node.players(["Ada", "Bob", "Eve", "Joe"]).await;
    let (room, code) = open(&node, ada, true).await;
    node.ok(bob, "POST", "/v1/rooms/join", code).await;
    let started = node.ok(ada, "POST", &format!("/v1/rooms/{room}/start"), None).await;
    let battle_id = started["battle_id"].as_str().unwrap().to_owned();
    // The room does not matter: the battle goes on without it.
    node.ok(ada, "DELETE", &format!("/v1/rooms/{room}"), None).await;
    for player in [ada, bob] {
        let second = node.refused(player, "POST", "/v1/rooms", Some(about(true))).await;
        assert_eq!(second, (409, "room.in_battle".to_owned()));
    }
    let (room, code) = open(&node, eve, true).await;
    let seated = node.refused(bob, "POST", "/v1/rooms/join", code.clone()).await;
    assert_eq!(seated, (409, "room.in_battle".to_owned()));
    // Who has left for good may play elsewhere, and make no battles.
    sqlx::query("update battle_player set gone_at = now()").execute(&db).await.unwrap();
    node.ok(bob, "POST", "/v1/rooms/join", code.clone()).await;
    let second = node.refused(ada, "POST", "/v1/rooms", Some(about(true))).await;
    assert_eq!(second, (409, "room.in_battle".to_owned()));
    node.ok(eve, "POST", "/v1/rooms/leave", None).await;
    node.ok(joe, "POST", "/v1/rooms/join", code).await;
    let start = format!("/v1/rooms/{room}/start");
    let inherited = node.refused(bob, "POST", &start, None).await;
    assert_eq!(inherited, (409, "room.in_battle".to_owned()));
    node.set_battle(&battle_id, "cancelled").await;
    node.ok(bob, "POST", &start, None).await;
    assert_eq!(node.count("select count(*) from battle").await, 2);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_room_battle_without_a_duration_lasts_as_long_as_rooms_may(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let mut body = about(true);
    body.as_object_mut().unwrap().remove("duration_s");
    let room = node.ok(ada, "POST", "/v1/rooms", Some(body)).await;
    node.ok(bob, "POST", "/v1/rooms/join", Some(json!({ "code": room["code"] }))).await;
    let start = format!("/v1/rooms/{}/start", room["room_id"].as_str().unwrap());
    node.ok(ada, "POST", &start, None).await;
    assert_eq!(node.count("select duration_s::bigint from battle").await, 3_600);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_room_that_nobody_starts_is_closed(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let (_, code) = open(&node, ada, true).await;
    node.wait_s(7_199);
    node.clean_up().await;
    assert_eq!(node.count("select count(*) from room_player").await, 1);
    node.wait_s(1);
    node.clean_up().await;
    assert_eq!(node.count("select count(*) from room_player").await, 0);
    let closed = node.refused(bob, "POST", "/v1/rooms/join", code).await;
    assert_eq!(closed, (409, "room.not_open".to_owned()));
}
