//! The gRPC service, over a real listener.

use crate::common::{Fixture, player};
use sortie_control::app::AppState;
use sortie_control::internal::{self, SharedSecret};
use sortie_control::service::stop;
use sortie_ranking::{Settings, add_rpc};
use sortie_rpc::ranking::v1 as rpc;
use sortie_rpc::ranking::v1::results_client::ResultsClient;
use sqlx::PgPool;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Request};
use uuid::Uuid;

const SECRET: &str = "a secret of some length";

async fn client(app: &AppState) -> ResultsClient<Channel> {
    let mut routes = Routes::builder();
    add_rpc(&mut routes, app, SharedSecret::new(SECRET).unwrap(), Settings::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stopper, mut stop) = stop();
    // The listener lives as long as the test.
    std::mem::forget(stopper);
    tokio::spawn(async move {
        internal::serve(listener, routes.routes(), Vec::new(), async move { stop.asked().await })
            .await
            .unwrap();
    });
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    ResultsClient::new(channel.connect_lazy())
}

fn with_secret(report: rpc::ReportRequest, secret: &str) -> Request<rpc::ReportRequest> {
    let mut request = Request::new(report);
    let value = format!("Bearer {secret}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn receipts_say_what_became_of_a_result(db: PgPool) {
    let fixture = Fixture::new(db.clone()).await;
    let app = AppState::local(db);
    let mut client = client(&app).await;
    let players = fixture.players(8).await;
    let battle = fixture.battle().await;
    let report = fixture.report(battle, &players);
    crate::common::seat(&fixture.db, &report).await;
    let mut receipt = async |report: rpc::ReportRequest| {
        let answer = client.report(with_secret(report, SECRET)).await.unwrap().into_inner();
        (answer.outcome, answer.why)
    };
    let mut bad = report.clone();
    bad.players[0].team = 7;
    let malformed = "ranking.malformed: players.team: must be 0 or 1";
    assert_eq!(receipt(bad).await, ("refused".to_owned(), malformed.to_owned()));
    let mut other = report.clone();
    other.server_id = crate::common::server(&fixture.db, "other").await.to_string();
    let (outcome, why) = receipt(other).await;
    assert_eq!(outcome, "refused");
    assert!(why.starts_with("ranking.other_server: "), "{why}");
    assert_eq!(receipt(report.clone()).await, ("stored".to_owned(), String::new()));
    let known = ("known".to_owned(), "ranking.finished".to_owned());
    assert_eq!(receipt(report).await, known);
    // Leaderboards, and whoever else wants to know, hear of it from the outbox: once.
    assert_eq!(fixture.count("select count(*) from outbox").await, 1);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn without_the_secret_nothing_is_read(db: PgPool) {
    let fixture = Fixture::new(db.clone()).await;
    let app = AppState::local(db);
    let mut client = client(&app).await;
    let players = fixture.players(8).await;
    let report = fixture.report(fixture.battle().await, &players);
    let refused = client.report(with_secret(report.clone(), "another secret")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = client.report(report).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(fixture.count("select count(*) from rating_change").await, 0);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_largest_battle_fits(db: PgPool) {
    let fixture = Fixture::new(db.clone()).await;
    let app = AppState::local(db);
    let mut client = client(&app).await;
    let players = fixture.players(8_192).await;
    let mut report = fixture.report(fixture.battle().await, &players);
    report.events = vec![crate::common::event(5, "kill"); 20_000];
    crate::common::seat(&fixture.db, &report).await;
    let too_many = {
        let mut report = report.clone();
        report.players.push(player(Uuid::now_v7()));
        client.report(with_secret(report, SECRET)).await.unwrap().into_inner()
    };
    assert_eq!(too_many.why, "ranking.malformed: players: 8193; at most 8192");
    let answer = client.report(with_secret(report, SECRET)).await.unwrap().into_inner();
    assert_eq!(answer.outcome, "stored");
    assert_eq!(fixture.count("select count(*) from rating_change where is_ranked").await, 8_192);
    assert_eq!(fixture.count("select count(*) from battle_log").await, 20_000);
}

#[tokio::test]
async fn a_database_that_is_away_is_worth_another_try() {
    let db = sortie_control::store::pool("postgres://127.0.0.1:1/none", 1).unwrap();
    let mut client = client(&AppState::local(db)).await;
    let report = rpc::ReportRequest {
        server_id: Uuid::now_v7().to_string(),
        battle_id: Uuid::now_v7().to_string(),
        tick_hz: 60,
        state_hash: "0123456789abcdef".to_owned(),
        ended_by: "round".to_owned(),
        ..rpc::ReportRequest::default()
    };
    let error = client.report(with_secret(report, SECRET)).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
}
