//! From the queue into a battle: tickets, matches, join tickets, places in running battles.

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use sortie_control::store::MIGRATOR;
use sortie_wire::ticket::TicketVerifier;
use sqlx::PgPool;
use support::{Node, queue};
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

    node.run_battle(&battle_id).await;
    let admission = node.ok(ada, "POST", &join, None).await;
    assert_eq!(admission["address"], "127.0.0.1:4433");
    assert_eq!(admission["fingerprint"], "ab".repeat(32));
    let signed = BASE64.decode(admission["join_ticket"].as_str().unwrap()).unwrap();
    let battle: Uuid = battle_id.parse().unwrap();
    let key = node.settings.ticket_signer.public_key();
    let now_ms = (node.settings.clock.now().unix_timestamp_nanos() / 1_000_000) as u64;
    let opened = TicketVerifier::new(key, battle.as_u128(), "any").verify(&signed, now_ms).unwrap();
    assert_eq!((opened.player_key, opened.name.as_str()), (ada.as_u128(), "Ada"));
    assert_eq!(json!(opened.team), ticket["team"]);
    let mine = node.ok(ada, "GET", "/v1/matchmaking/mine", None).await;
    assert_eq!(mine["battles"][0]["battle_id"], battle_id);
    assert!(mine["ticket"].is_null());
}
