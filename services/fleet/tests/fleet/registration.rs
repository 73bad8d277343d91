//! Registration: names, epochs, and what a server that comes back still has.

use sortie_rpc::fleet::v1 as rpc;
use sqlx::PgPool;
use tonic::{Code, Request};
use uuid::Uuid;

use crate::common::{Node, ask, quick, registration, state, status, until_state, with};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_name_is_one_server_and_each_registration_a_new_epoch(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let fleet = node.fleet().await;
    let first = fleet.register(registration("one", 2)).await;
    assert_eq!((first.epoch, first.answer.heartbeat_ms), (1, 100));
    assert_eq!(first.answer.ticket_public_key, [7; 32]);
    assert_eq!(first.answer.other_ticket_public_keys, [[8; 32]]);
    let again = fleet.register(registration("one", 2)).await;
    assert_eq!((again.id, again.epoch), (first.id, 2));
    let other = fleet.register(registration("two", 2)).await;
    assert_eq!(other.epoch, 1);
    let names: Vec<String> = fleet.servers().await.into_iter().map(|server| server.name).collect();
    assert_eq!(names, ["one", "two"]);
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_wrong_secret_and_bad_fields_are_refused(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let fleet = node.fleet().await;
    let mut client = fleet.0.clone();
    let wrong = client.register(with(registration("one", 1), "not the secret at all")).await;
    assert_eq!(wrong.unwrap_err().code(), Code::Unauthenticated);
    let none = client.register(Request::new(registration("one", 1))).await;
    assert_eq!(none.unwrap_err().code(), Code::Unauthenticated);
    for name in ["", "-one", "One", "ein s", "größe"] {
        let error = fleet.try_register(registration(name, 1)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{name}: {error:?}");
        assert_eq!(error.metadata().get("error-code").unwrap(), "fleet.invalid");
    }
    assert!(fleet.servers().await.is_empty());
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn an_older_epoch_is_refused_and_its_stream_ends_at_once(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let fleet = node.fleet().await;
    let old = fleet.register(registration("one", 1)).await;
    let mut line = old.serve().await;
    let new = fleet.register(registration("one", 1)).await;
    // It has sent nothing since, and is told all the same.
    let ended = line.end().await;
    assert_eq!(ended.code(), Code::FailedPrecondition, "{ended:?}");
    assert_eq!(ended.metadata().get("error-code").unwrap(), "fleet.old_epoch");
    assert_eq!(old.serve().await.end().await.code(), Code::FailedPrecondition);
    let mut line = new.serve().await;
    fleet.drain(&new.id).await.unwrap();
    assert!(line.order().await.what.is_some(), "the new epoch is served");
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_server_that_comes_back_keeps_what_is_still_its_own(db: PgPool) {
    let node = Node::start(&db, quick()).await;
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

    let finished = ask(&db, 129).await;
    sqlx::query("update battle set state = 'finished', server_id = $2 where battle_id = $1")
        .bind(finished)
        .bind(server.uuid())
        .execute(&db)
        .await
        .unwrap();
    let unknown = Uuid::now_v7();
    let mut request = registration("one", 2);
    request.battles = vec![battle.to_string(), finished.to_string(), unknown.to_string()];
    let back = fleet.register(request).await;
    assert_eq!(back.answer.forget, [finished.to_string(), unknown.to_string()]);
    assert_eq!(state(&db, battle).await, "running");
    let epoch: i64 = sqlx::query_scalar("select server_epoch from battle where battle_id = $1")
        .bind(battle)
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(epoch, 2);
    node.stop().await;
}

/// Nodes are started anew with other keys, and the server's registration outlives them.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_first_order_of_a_stream_says_the_keys_of_join_tickets(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    let order = line.message().await;
    let public_keys = vec![vec![7; 32], vec![8; 32]];
    let keys = rpc::TicketKeys { public_keys };
    assert_eq!((order.order_id, order.what), (0, Some(rpc::order::What::TicketKeys(keys))));
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_drained_server_without_battles_that_closes_its_stream_has_left(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 1)).await;
    let mut beat = server.beat();
    beat.is_draining = true;
    let line = server.serve_with(beat).await;
    assert_eq!(line.hang_up().await.code(), Code::Ok);
    assert_eq!(fleet.servers().await[0].state, "gone");
    node.stop().await;
}
