//! From the queue into a battle: tickets, matches, join tickets, places in running battles.

use crate::support::{Node, queue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use sortie_control::store::MIGRATOR;
use sortie_matchmaking::Queue;
use sortie_wire::ticket::TicketVerifier;
use sqlx::PgPool;
use uuid::Uuid;

#[sqlx::test(migrator = "MIGRATOR")]
async fn two_players_wait_are_matched_and_get_into_their_battle(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let first = node.wait_in(ada, "duel").await;
    let second = node.wait_in(bob, "duel").await;
    assert_eq!(node.ticket(bob, &second).await["position"], 2);
    assert_eq!(node.pass().await.matches, 0, "two of sixteen, and nobody has waited yet");
    node.wait_s(10);
    let pass = node.pass().await;
    assert_eq!((pass.matches, pass.matched), (1, 2));

    let ticket = node.ticket(ada, &first).await;
    assert_eq!(ticket["state"], "matched");
    let battle_id = ticket["battle_id"].as_str().unwrap().to_owned();
    assert_eq!(node.ticket(bob, &second).await["battle_id"], battle_id);
    let join = format!("/v1/battles/{battle_id}/join");
    let early = node.refused(ada, "POST", &join, None).await;
    assert_eq!(early, (409, "battle.not_running".to_owned()));

    let server_id = node.run_battle(&battle_id).await;
    let admission = node.ok(ada, "POST", &join, None).await;
    assert_eq!(admission["address"], "127.0.0.1:4433");
    assert_eq!(admission["fingerprint"], "ab".repeat(32));
    let signed = BASE64.decode(admission["join_ticket"].as_str().unwrap()).unwrap();
    let battle: Uuid = battle_id.parse().unwrap();
    let key = node.settings.ticket_signer.public_key();
    let now_ms = (node.settings.clock.estimate().unix_timestamp_nanos() / 1_000_000) as u64;
    let verify =
        |server: &str| TicketVerifier::new(key, battle.as_u128(), server).verify(&signed, now_ms);
    verify("another").unwrap_err();
    let server = format!("server-{}", server_id.simple());
    let opened = verify(&server).unwrap();
    assert_eq!((opened.player_key, opened.name.as_str()), (ada.as_u128(), "Ada"));
    assert_eq!(json!(opened.team), ticket["team"]);
    let mine = node.ok(ada, "GET", "/v1/matchmaking/mine", None).await;
    assert_eq!(mine["battles"][0]["battle_id"], battle_id);
    assert!(mine["ticket"].is_null());
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_cannot_wait_is_refused(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel"), Queue { team_max: 2, ..queue("small") }]);
    let [ada, bob, eve] = node.players(["Ada", "Bob", "Eve"]).await;
    let tickets = "/v1/matchmaking/tickets";
    let of = |queue: &str| Some(json!({ "queue": queue }));
    let unknown = node.refused(ada, "POST", tickets, of("nowhere")).await;
    assert_eq!(unknown, (404, "matchmaking.unknown_queue".to_owned()));
    let empty = node.refused(ada, "POST", tickets, Some(json!({}))).await;
    assert_eq!(empty, (422, "request.fields".to_owned()));

    node.party(&[ada, bob, eve]).await;
    let large = node.refused(ada, "POST", tickets, of("small")).await;
    assert_eq!(large, (422, "matchmaking.party_too_large".to_owned()));
    let member = node.refused(bob, "POST", tickets, of("duel")).await;
    assert_eq!(member, (403, "party.not_leader".to_owned()));
    node.ban(eve, "matchmaking").await;
    let (status, body) = node.call(ada, "POST", tickets, of("duel")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (403, &json!("matchmaking.banned")));
    let details = &body["error"]["details"];
    assert_eq!((&details["player_id"], &details["scope"]), (&json!(eve), &json!("matchmaking")));
    assert!(details["reason"].is_null(), "why another is banned is not told");
    node.ok(eve, "POST", "/v1/parties/leave", None).await;
    let (_, body) = node.call(eve, "POST", tickets, of("duel")).await;
    assert_eq!(body["error"]["details"]["reason"], "aimbot");

    let ticket = node.wait_in(ada, "duel").await;
    let (status, body) = node.call(ada, "POST", tickets, of("small")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (409, &json!("matchmaking.waiting")));
    assert_eq!(body["error"]["details"]["ticket_id"], ticket.as_str());
    let [stranger] = node.players(["Stranger"]).await;
    let path = format!("{tickets}/{ticket}");
    for (method, path) in [("GET", path.clone()), ("DELETE", path.clone()), ("GET", path + "/why")]
    {
        let refused = node.refused(stranger, method, &path, None).await;
        assert_eq!(refused, (404, "matchmaking.unknown_ticket".to_owned()), "{method} {path}");
    }
    let bad = node.refused(ada, "GET", "/v1/matchmaking/tickets/7", None).await;
    assert_eq!(bad, (400, "request.path".to_owned()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_comes_in_without_a_login(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let id = Uuid::nil();
    for (method, path) in [
        ("POST", "/v1/parties".to_owned()),
        ("GET", "/v1/parties/mine".to_owned()),
        ("POST", "/v1/parties/join".to_owned()),
        ("POST", "/v1/parties/leave".to_owned()),
        ("POST", "/v1/parties/kick".to_owned()),
        ("POST", "/v1/parties/lead".to_owned()),
        ("GET", "/v1/matchmaking/queues".to_owned()),
        ("GET", "/v1/matchmaking/mine".to_owned()),
        ("POST", "/v1/matchmaking/tickets".to_owned()),
        ("GET", format!("/v1/matchmaking/tickets/{id}")),
        ("GET", format!("/v1/matchmaking/tickets/{id}/why")),
        ("DELETE", format!("/v1/matchmaking/tickets/{id}")),
        ("POST", format!("/v1/matchmaking/proposals/{id}/answer")),
        ("POST", format!("/v1/battles/{id}/join")),
        ("POST", format!("/v1/battles/{id}/leave")),
        ("GET", "/v1/rooms".to_owned()),
        ("POST", "/v1/rooms".to_owned()),
        ("POST", "/v1/rooms/join".to_owned()),
        ("POST", "/v1/rooms/leave".to_owned()),
        ("GET", format!("/v1/rooms/{id}")),
        ("DELETE", format!("/v1/rooms/{id}")),
        ("POST", format!("/v1/rooms/{id}/start")),
        ("POST", format!("/v1/rooms/{id}/team")),
    ] {
        let (status, body) = node.call_unknown(method, &path).await;
        assert_eq!(
            (status.as_u16(), &body["error"]["code"]),
            (401, &json!("auth.missing")),
            "{path}"
        );
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_ticket_lives_as_long_as_somebody_asks_for_it(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let (kept, left) = (node.wait_in(ada, "duel").await, node.wait_in(bob, "duel").await);
    node.wait_s(20);
    assert_eq!(node.ticket(ada, &kept).await["state"], "waiting");
    node.wait_s(11);
    // Not swept up yet, and out of the queue all the same.
    assert_eq!(node.pass().await.matched, 0);
    node.clean_up().await;
    assert_eq!(node.ticket(ada, &kept).await["state"], "waiting");
    let gone = node.ticket(bob, &left).await;
    assert_eq!(
        (gone["state"].as_str(), gone["why"].as_str()),
        (Some("expired"), Some("nobody asked for the ticket in time"))
    );
    node.wait_in(bob, "duel").await;
    assert_eq!(node.pass().await.matched, 2);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_has_run_out_blocks_nobody_even_before_it_is_swept_up(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada] = node.players(["Ada"]).await;
    let old = node.wait_in(ada, "duel").await;
    node.wait_s(31);
    node.wait_in(ada, "duel").await;
    assert_eq!(node.ticket(ada, &old).await["state"], "expired");
    assert_eq!(node.count("select count(*) from ticket_open").await, 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn cancelled_is_cancelled_and_matched_is_too_late(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let first = node.wait_in(ada, "duel").await;
    let path = format!("/v1/matchmaking/tickets/{first}");
    node.ok(ada, "DELETE", &path, None).await;
    let again = node.refused(ada, "DELETE", &path, None).await;
    assert_eq!(again, (409, "matchmaking.ticket_over".to_owned()));
    let first = node.wait_in(ada, "duel").await;
    node.wait_in(bob, "duel").await;
    node.wait_s(10);
    assert_eq!(node.pass().await.matched, 2);
    let late = node.refused(ada, "DELETE", &format!("/v1/matchmaking/tickets/{first}"), None).await;
    assert_eq!(late, (409, "matchmaking.ticket_over".to_owned()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn those_who_wait_fill_a_running_battle_first(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob, eve, joe, sue] = node.players(["Ada", "Bob", "Eve", "Joe", "Sue"]).await;
    let first = node.wait_in(ada, "duel").await;
    node.wait_in(bob, "duel").await;
    node.wait_s(10);
    node.pass().await;
    let battle_id = node.ticket(ada, &first).await["battle_id"].as_str().unwrap().to_owned();
    node.run_battle(&battle_id).await;
    node.party(&[eve, joe]).await;
    let pair = node.wait_in(eve, "duel").await;
    assert_eq!(node.pass().await.backfilled, 0, "two on one side would be 3 against 1");
    node.wait_in(sue, "duel").await;
    assert_eq!(node.pass().await.backfilled, 1);
    assert_eq!(node.pass().await.backfilled, 1, "now the party makes 3 against 2");
    assert_eq!(node.ticket(joe, &pair).await["battle_id"], battle_id.as_str());
    let sides = "select abs(sum(case team when 0 then 1 else -1 end)) from battle_player";
    assert_eq!(node.count(sides).await, 1);
    node.ok(joe, "POST", &format!("/v1/battles/{battle_id}/join"), None).await;

    // Half of its ten minutes are over: nobody is sent into it any more.
    node.wait_s(301);
    let [max] = node.players(["Max"]).await;
    node.wait_in(max, "duel").await;
    assert_eq!(node.pass().await.backfilled, 0);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_player_is_told_why_nothing_happens_yet(db: PgPool) {
    let narrow = Queue { team_max: 1, players_max: 2, ..queue("narrow") };
    let node = Node::new(&db, vec![queue("duel"), narrow]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let ticket = node.wait_in(ada, "duel").await;
    let path = format!("/v1/matchmaking/tickets/{ticket}/why");
    let alone = node.ok(ada, "GET", &path, None).await;
    let reason = &alone["reasons"][0];
    assert_eq!(reason["code"], "too_few_players");
    assert_eq!(
        (&reason["numbers"]["players_waiting"], &reason["numbers"]["players_needed"]),
        (&json!(1), &json!(16))
    );
    sqlx::query(
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown)
         values ($1, 1, 'conquest', 55, 1, 0)",
    )
    .bind(bob)
    .execute(&db)
    .await
    .unwrap();
    node.wait_in(bob, "narrow").await;
    let [eve] = node.players(["Eve"]).await;
    let ticket = node.wait_in(eve, "narrow").await;
    let path = format!("/v1/matchmaking/tickets/{ticket}/why");
    let apart = node.ok(eve, "GET", &path, None).await;
    assert_eq!(apart["reasons"][0]["code"], "window_narrow");
    let text = apart["reasons"][0]["text"].as_str().unwrap();
    let window = text
        .strip_prefix("1 of 2 players are within your rating window of 25.0 ± ")
        .and_then(|rest| rest.split(';').next()?.parse::<f64>().ok());
    // It widens while this test waits for its database.
    assert!(window.is_some_and(|window| (4.0..30.0).contains(&window)), "{text}");
    node.wait_s(10);
    assert_eq!(node.ok(eve, "GET", &path, None).await["reasons"][0]["code"], "next_pass");
    let pass = sortie_matchmaking::matcher::pass(&db, &node.settings, &node.settings.queues[1]);
    assert_eq!(pass.await.unwrap().matched, 2);
    let placed = node.ok(eve, "GET", &path, None).await;
    assert_eq!(placed["reasons"][0]["code"], "no_server");
    let queues = node.ok(ada, "GET", "/v1/matchmaking/queues", None).await;
    assert_eq!(
        (&queues["queues"][0]["players_waiting"], &queues["queues"][0]["name"]),
        (&json!(1), &json!("duel"))
    );
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_rating_of_the_season_before_counts_until_it_is_carried_over(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada] = node.players(["Ada"]).await;
    for statement in [
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown)
         select $1, 1, 'conquest', 35, 2, 0",
        "update season set ends_at = now() where $1 is not null",
        "insert into season (name, starts_at) select 'Season 2', now() where $1 is not null",
    ] {
        sqlx::query(statement).bind(ada).execute(&db).await.unwrap();
    }
    let ticket = node.wait_in(ada, "duel").await;
    let path = format!("/v1/matchmaking/tickets/{ticket}");
    assert_eq!(node.ok(ada, "GET", &path, None).await["rating"], 35.0);
    node.ok(ada, "DELETE", &path, None).await;
    sqlx::query(
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown)
         select $1, max(season_id), 'conquest', 30, 4, 0 from season",
    )
    .bind(ada)
    .execute(&db)
    .await
    .unwrap();
    let ticket = node.wait_in(ada, "duel").await;
    let path = format!("/v1/matchmaking/tickets/{ticket}");
    assert_eq!(node.ok(ada, "GET", &path, None).await["rating"], 30.0);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_way_into_a_battle_is_closed_to_others_and_after_its_end(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob, eve] = node.players(["Ada", "Bob", "Eve"]).await;
    let first = node.wait_in(ada, "duel").await;
    node.wait_in(bob, "duel").await;
    node.wait_s(10);
    node.pass().await;
    let battle_id = node.ticket(ada, &first).await["battle_id"].as_str().unwrap().to_owned();
    let server_id = node.run_battle(&battle_id).await;
    let join = format!("/v1/battles/{battle_id}/join");
    let stranger = node.refused(eve, "POST", &join, None).await;
    assert_eq!(stranger, (403, "battle.not_a_player".to_owned()));
    let nowhere = format!("/v1/battles/{}/join", Uuid::nil());
    let unknown = node.refused(ada, "POST", &nowhere, None).await;
    assert_eq!(unknown, (404, "battle.unknown".to_owned()));
    node.ban(bob, "login").await;
    let banned = node.refused(bob, "POST", &join, None).await;
    assert_eq!(banned, (403, "matchmaking.banned".to_owned()));
    sqlx::query("update battle_server set state = 'gone' where server_id = $1")
        .bind(server_id)
        .execute(&db)
        .await
        .unwrap();
    let away = node.refused(ada, "POST", &join, None).await;
    assert_eq!(away, (503, "battle.server_away".to_owned()));
    for state in ["finished", "lost", "cancelled"] {
        node.set_battle(&battle_id, state).await;
        let over = node.refused(ada, "POST", &join, None).await;
        assert_eq!(over, (410, format!("battle.{state}")));
    }
}
