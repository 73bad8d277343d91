//! Parties: who is in, who leads, and what they wait for.

use crate::support::{Node, queue};
use serde_json::json;
use sortie_control::store::MIGRATOR;
use sqlx::PgPool;
use uuid::Uuid;

fn of(player: Uuid) -> Option<serde_json::Value> {
    Some(json!({ "player_id": player }))
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn friends_join_by_code_and_the_lead_is_handed_on(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob, eve] = node.players(["Ada", "Bob", "Eve"]).await;
    let party = node.party(&[ada, bob, eve]).await;
    assert_eq!(party["leader"], json!(ada));
    assert_eq!(party["members"][1]["name"], "Bob");
    let code = party["code"].as_str().unwrap().to_lowercase();
    let again = node.ok(bob, "POST", "/v1/parties/join", Some(json!({ "code": code }))).await;
    assert_eq!(again["members"].as_array().unwrap().len(), 3, "joining twice changes nothing");

    let refused = node.refused(bob, "POST", "/v1/parties/kick", of(eve)).await;
    assert_eq!(refused, (403, "party.not_leader".to_owned()));
    let led = node.ok(ada, "POST", "/v1/parties/lead", of(bob)).await;
    assert_eq!(led["leader"], json!(bob));
    let kicked = node.ok(bob, "POST", "/v1/parties/kick", of(eve)).await;
    assert_eq!(kicked["members"].as_array().unwrap().len(), 2);
    node.ok(bob, "POST", "/v1/parties/leave", None).await;
    assert_eq!(node.ok(ada, "GET", "/v1/parties/mine", None).await["leader"], json!(ada));
    node.ok(ada, "POST", "/v1/parties/leave", None).await;
    assert_eq!(node.count("select count(*) from party").await, 0);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn eight_are_a_party_however_many_come_at_once(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada] = node.players(["Ada"]).await;
    let party = node.party(&[ada]).await;
    let body = json!({ "code": party["code"] });
    let mut friends = Vec::new();
    for number in 0..12 {
        let name = format!("Friend {number}");
        friends.push(sortie_testing::player(&db, &name).await);
    }
    let joins = friends
        .iter()
        .map(|&friend| node.call(friend, "POST", "/v1/parties/join", Some(body.clone())));
    let answers = futures_util::future::join_all(joins).await;
    let refused: Vec<_> = answers.iter().filter(|(status, _)| !status.is_success()).collect();
    assert_eq!(refused.len(), 5);
    assert!(refused.iter().all(|(_, body)| body["error"]["code"] == "party.full"));
    assert_eq!(node.count("select count(*) from party_member").await, 8);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_cannot_be_is_refused(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob, eve] = node.players(["Ada", "Bob", "Eve"]).await;
    for (method, path, body) in [
        ("GET", "/v1/parties/mine", None),
        ("POST", "/v1/parties/leave", None),
        ("POST", "/v1/parties/kick", of(bob)),
        ("POST", "/v1/parties/lead", of(bob)),
    ] {
        let refused = node.refused(ada, method, path, body).await;
        assert_eq!(refused, (404, "party.none".to_owned()), "{path}");
    }
    let party = node.party(&[ada, bob]).await;
    let join = |code: &str| Some(json!({ "code": code }));
    for code in ["", "ABCDEF", "abc", "ABCDE0", &"x".repeat(1_000)] {
        let refused = node.refused(eve, "POST", "/v1/parties/join", join(code)).await;
        assert_eq!(refused, (404, "party.unknown_code".to_owned()), "{code}");
    }
    let second = node.refused(bob, "POST", "/v1/parties", None).await;
    assert_eq!(second, (409, "party.in_another".to_owned()));
    let stranger = node.refused(ada, "POST", "/v1/parties/kick", of(eve)).await;
    assert_eq!(stranger, (404, "party.not_member".to_owned()));
    let extra = Some(json!({ "code": "ABCDEF", "more": 1 }));
    let refused = node.refused(eve, "POST", "/v1/parties/join", extra).await;
    assert_eq!(refused, (400, "request.unknown_name".to_owned()));

    node.wait_in(ada, "duel").await;
    let code = party["code"].as_str().unwrap();
    let refused = node.refused(eve, "POST", "/v1/parties/join", join(code)).await;
    assert_eq!(refused, (409, "party.waiting".to_owned()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn codes_cannot_be_guessed_in_bulk(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [eve] = node.players(["Eve"]).await;
    let mut refusals = Vec::new();
    for _ in 0..12 {
        let body = Some(json!({ "code": "ABCDEF" }));
        refusals.push(node.refused(eve, "POST", "/v1/parties/join", body).await.0);
    }
    assert_eq!((refusals[0], refusals[11]), (404, 429));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_party_that_changes_waits_no_more(db: PgPool) {
    let node = Node::new(&db, vec![queue("duel")]);
    let [ada, bob, eve] = node.players(["Ada", "Bob", "Eve"]).await;
    node.party(&[ada, bob, eve]).await;
    let ticket = node.wait_in(ada, "duel").await;
    node.ok(eve, "POST", "/v1/parties/leave", None).await;
    let ended = node.ticket(bob, &ticket).await;
    assert_eq!(
        (ended["state"].as_str(), ended["why"].as_str()),
        (Some("cancelled"), Some("a member left the party"))
    );
    let ticket = node.wait_in(ada, "duel").await;
    node.ok(ada, "POST", "/v1/parties/kick", of(bob)).await;
    assert_eq!(node.ticket(bob, &ticket).await["state"], "cancelled");
    assert_eq!(node.count("select count(*) from ticket_open").await, 0);
}
