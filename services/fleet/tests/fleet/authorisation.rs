//! Who may call what; what every listener has.

use sortie_control::revoked::Revocation;
use sortie_rpc::fleet::v1 as rpc;
use sortie_testing::grpc::{EXPECTED, Listeners, authorisation_faults, connect};
use sqlx::PgPool;
use time::OffsetDateTime;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

use crate::common::{INTERNAL, Node, PUBLIC, SECRET, quick, registration, with};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn every_method_is_open_to_whom_it_is_for_and_to_nobody_else(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let player = sortie_testing::player(&db, "Nobody special").await;
    let session_id = Uuid::now_v7();
    let ended = node.app.access.issue(player, session_id, false, OffsetDateTime::now_utc());
    let end = Revocation {
        player_id: player,
        session_id: Some(session_id),
        scope: "login".to_owned(),
        why: "logout".to_owned(),
    };
    node.app.revoked.note(&end, OffsetDateTime::now_utc().unix_timestamp());
    let listeners = Listeners {
        internal: node.internal,
        public: node.public,
        secret: SECRET.to_owned(),
        credential: node.app.access.issue_server(Uuid::now_v7(), 1, OffsetDateTime::now_utc()),
        token: sortie_testing::token(&node.app, player),
        ended,
    };
    let (faults, calls) = authorisation_faults(&listeners).await;
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(calls, EXPECTED.len() * 6);
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn too_long_messages_are_refused_unread(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let fleet = node.fleet().await;
    let mut long = registration("long", 1);
    long.version = "x".repeat(300 << 10);
    assert_eq!(fleet.try_register(long).await.unwrap_err().code(), Code::OutOfRange);
    // In the middle of a stream, too.
    let server = fleet.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    let mut beat = server.beat();
    beat.battles =
        vec![rpc::BattleStatus { battle_id: "x".repeat(300 << 10), ..Default::default() }];
    line.send(beat).await;
    assert_eq!(line.end().await.code(), Code::OutOfRange);
    let mut game = node.game().await;
    let token = sortie_testing::token(&node.app, sortie_testing::player(&db, "Long").await);
    let battle_id = "x".repeat(300 << 10);
    let request = sortie_rpc::game::v1::GetBattleRequest { battle_id };
    let refused = game.get_battle(with(request, &token)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn health_says_serving_for_each_service(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    for (at, services) in [(node.internal, INTERNAL), (node.public, PUBLIC)] {
        let mut health = HealthClient::new(connect(at).await);
        for service in services.iter().chain(&[""]).map(ToString::to_string) {
            let answer = health.check(Request::new(HealthCheckRequest { service })).await.unwrap();
            assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
        }
        let service = "sortie.nothing".to_owned();
        let unknown = health.check(Request::new(HealthCheckRequest { service })).await;
        assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    }
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn reflection_lists_what_is_served_there_in_both_versions(db: PgPool) {
    use tonic_reflection::pb::{v1, v1alpha};
    let node = Node::without_jobs(&db, quick()).await;
    for (at, services) in [(node.internal, INTERNAL), (node.public, PUBLIC)] {
        let mut client =
            v1::server_reflection_client::ServerReflectionClient::new(connect(at).await);
        let ask = v1::server_reflection_request::MessageRequest::ListServices(String::new());
        let ask = v1::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
        let mut answers =
            client.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        use v1::server_reflection_response::MessageResponse::ListServicesResponse as Listed;
        let Listed(listed) = answer else { panic!("{answer:?}") };
        let names = listed.service.into_iter().map(|service| service.name);
        let mut names: Vec<String> =
            names.filter(|name| !name.starts_with("grpc.reflection.")).collect();
        names.sort_unstable();
        let expected: Vec<&str> =
            ["grpc.health.v1.Health"].iter().chain(services).copied().collect();
        assert_eq!(names, expected);

        let mut client =
            v1alpha::server_reflection_client::ServerReflectionClient::new(connect(at).await);
        let symbol = "sortie.game.v1.Game.WatchBattle".to_owned();
        let ask = v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(symbol);
        let ask =
            v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
        let mut answers =
            client.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        use v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse as Found;
        assert!(matches!(answer, Found(_)), "{answer:?}");
    }
    node.stop().await;
}
