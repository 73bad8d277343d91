//! F34: the public listener's reflection names what is served there, and nothing of the fleet.
//! Goes to services/fleet/tests, with Postgres.
#![allow(dead_code, reason = "of the tests' node a part is used")]

#[path = "fleet/common.rs"]
mod common;

use common::{Node, quick};
use sortie_fleet::testing::connect;
use sqlx::PgPool;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_response};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn reflection_names_what_is_served(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let mut client = ServerReflectionClient::new(connect(node.public).await);
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap().message_response.unwrap();
    use server_reflection_response::MessageResponse::ListServicesResponse as Listed;
    let Listed(listed) = answer else { panic!("{answer:?}") };
    let names = listed.service.into_iter().map(|service| service.name);
    let foreign: Vec<_> = names.filter(|name| name.contains("fleet")).collect();
    node.stop().await;
    assert!(foreign.is_empty(), "F34: the public listener names {foreign:?}");
}
