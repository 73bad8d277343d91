//! Whoever has the fleet's secret can be a server, and none of those that are there.

use std::time::Duration;

use sortie_fleet::Settings;
use sortie_rpc::fleet::v1 as rpc;
use sqlx::PgPool;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::common::{
    Node, SECRET, Server, ask, identity, quick, registration, state, status, until, until_state,
    with,
};

/// What somebody sends who has the secret and wants to be `name` at an address of its own.
fn impostor(name: &str) -> rpc::RegisterRequest {
    rpc::RegisterRequest {
        address: "203.0.113.66:4433".into(),
        fingerprint: vec![66; 32],
        identity: identity("an impostor"),
        ..registration(name, 64)
    }
}

/// A server of before there were identities.
fn old(name: &str) -> rpc::RegisterRequest {
    rpc::RegisterRequest { identity: Vec::new(), ..registration(name, 2) }
}

fn code_of(status: &Status) -> &str {
    status.metadata().get("error-code").map_or("", |code| code.to_str().unwrap())
}

async fn address(db: &PgPool, server: &Server) -> (String, i64) {
    sqlx::query_as("select address, epoch from battle_server where server_id = $1")
        .bind(server.uuid())
        .fetch_one(db)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn nobody_takes_a_living_servers_name_or_sends_its_players_elsewhere(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 2)).await;
    let mut line = server.serve().await;
    let without = rpc::RegisterRequest { identity: Vec::new(), ..impostor("one") };
    for request in [impostor("one"), without] {
        let refused = fleet.try_register(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        assert_eq!(code_of(&refused), "fleet.name_taken");
    }
    assert_eq!(address(&db, &server).await, ("127.0.0.1:4433".to_owned(), 1));
    fleet.drain(&server.id).await.unwrap();
    assert!(line.order().await.what.is_some(), "it is served as before");
    // It itself may come back at any time, from anywhere.
    let moved = rpc::RegisterRequest { address: "[::1]:5".into(), ..registration("one", 2) };
    let back = fleet.register(moved).await;
    assert_eq!((back.id, back.epoch), (server.id.clone(), 2));
    assert_eq!(address(&db, &server).await, ("[::1]:5".to_owned(), 2));
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn nobody_speaks_for_another_server(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 2)).await;
    let mut line = server.serve().await;
    let battle = ask(&db, 64).await;
    line.order().await;
    let other = fleet.register(impostor("two")).await;
    // Heartbeats and orders of the other's: with a credential of one's own, …
    let as_other = Server {
        id: server.id.clone(),
        epoch: server.epoch,
        fleet: fleet.clone(),
        answer: other.answer.clone(),
    };
    let mut beat = as_other.beat();
    beat.battles = vec![status(battle, 60)];
    let ended = as_other.serve_with(beat.clone()).await.end().await;
    assert_eq!(ended.code(), Code::PermissionDenied, "{ended:?}");
    // … of another epoch, …
    let answer = rpc::RegisterResponse {
        credential: node.app.access.issue_server(server.uuid(), 7, time::OffsetDateTime::now_utc()),
        ..other.answer.clone()
    };
    let of_another_epoch = Server { answer, ..as_other };
    let ended = of_another_epoch.serve_with(beat.clone()).await.end().await;
    assert_eq!(ended.code(), Code::PermissionDenied, "{ended:?}");
    // … and with the secret alone.
    let answer = rpc::RegisterResponse { credential: String::new(), ..other.answer.clone() };
    let with_secret = Server { answer, ..of_another_epoch };
    let ended = with_secret.serve_with(beat).await.end().await;
    assert_eq!(code_of(&ended), "fleet.unproven", "{ended:?}");
    assert_eq!(state(&db, battle).await, "allocated", "nobody began it");
    // What one registered under another name does not touch the battle either.
    let mut beat = other.beat();
    beat.battles = vec![status(battle, 60)];
    let mut line = other.serve_with(beat).await;
    let order = line.order().await.what.unwrap();
    assert!(matches!(order, rpc::order::What::End(_)), "{order:?}");
    assert_eq!(state(&db, battle).await, "allocated");
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn guesses_at_the_secret_are_slowed_and_servers_do_not_notice(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 2)).await;
    let guess = async |secret: &str| {
        let request = with(rpc::ListServersRequest {}, secret);
        fleet.0.clone().list_servers(request).await.map(drop).map_err(|status| status.code())
    };
    let mut heard = 0;
    while guess(&format!("a guess, number {heard}")).await == Err(Code::Unauthenticated) {
        heard += 1;
        assert!(heard < 1_000, "guesses are not slowed");
    }
    assert_eq!(guess("another guess").await, Err(Code::ResourceExhausted));
    // Not even the right one is told from the others.
    assert_eq!(guess(SECRET).await, Err(Code::ResourceExhausted));
    // A heartbeat that is stored shows that the server is served.
    let line = server.serve().await;
    let mut beat = server.beat();
    beat.load = Some(rpc::Load { players: 77, ..Default::default() });
    beat.is_draining = true;
    line.send(beat).await;
    until("the heartbeat is stored", || async {
        let players: Option<i64> =
            sqlx::query_scalar("select (load->>'players')::bigint from battle_server")
                .fetch_one(&db)
                .await
                .unwrap();
        players == Some(77)
    })
    .await;
    assert_eq!(line.hang_up().await.code(), Code::Ok);
    node.stop().await;
}

/// One release before: no identity, and the secret in every call.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_server_of_before_identities_works_and_becomes_one_with_an_identity(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let fleet = node.fleet().await;
    let server = fleet.register(old("one")).await;
    assert_eq!(server.answer.credential, "");
    let mut line = server.serve().await;
    let battle = ask(&db, 64).await;
    line.order().await;
    let mut beat = server.beat();
    beat.battles = vec![status(battle, 60)];
    line.send(beat).await;
    until_state(&db, battle, "running").await;
    // As long as it lives, nobody takes its name.
    for request in [impostor("one"), old("one")] {
        assert_eq!(code_of(&fleet.try_register(request).await.unwrap_err()), "fleet.name_taken");
    }
    drop(line);
    // Its next version begins when the lease is over, and keeps the battle.
    let mut request = registration("one", 2);
    request.battles = vec![battle.to_string()];
    let new = loop {
        match fleet.try_register(request.clone()).await {
            Ok(answer) => break answer,
            Err(status) => assert_eq!(code_of(&status), "fleet.name_taken", "{status:?}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((new.server_id.clone(), new.forget.len()), (server.id.clone(), 0));
    assert!(!new.credential.is_empty());
    assert_eq!(state(&db, battle).await, "running");
    // From then on, the secret alone is not enough.
    assert_eq!(code_of(&server.serve().await.end().await), "fleet.unproven");
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_name_of_a_server_that_is_long_gone_is_free_without_its_battles(db: PgPool) {
    let settings = Settings { return_grace: Duration::from_millis(300), ..quick() };
    let node = Node::start(&db, settings).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 2)).await;
    let mut line = server.serve().await;
    let battle = ask(&db, 64).await;
    line.order().await;
    let mut beat = server.beat();
    beat.battles = vec![status(battle, 60)];
    line.send(beat).await;
    until_state(&db, battle, "running").await;
    drop(line);
    until_state(&db, battle, "lost").await;
    let mut request = impostor("one");
    request.battles = vec![battle.to_string()];
    let other = loop {
        match fleet.try_register(request.clone()).await {
            Ok(answer) => break answer,
            Err(status) => assert_eq!(code_of(&status), "fleet.name_taken", "{status:?}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(other.forget, [battle.to_string()], "that was another's");
    assert_eq!(state(&db, battle).await, "lost");
    let (since, epoch): (i64, i64) =
        sqlx::query_as("select identity_since, epoch from battle_server where server_id = $1")
            .bind(other.server_id.parse::<Uuid>().unwrap())
            .fetch_one(&db)
            .await
            .unwrap();
    assert_eq!(since, epoch);
    node.stop().await;
}
