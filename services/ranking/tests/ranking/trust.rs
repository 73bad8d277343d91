//! What a battle server may say: of its own battles, and what can have been.

use crate::common::{Fixture, seat, stored};
use sortie_control::access::AccessKeys;
use sortie_control::app::AppState;
use sortie_control::internal::{self, SharedSecret};
use sortie_control::service::{Stopper, stop};
use sortie_ranking::report::Outcome;
use sortie_ranking::{Settings, add_rpc};
use sortie_rpc::ranking::v1 as rpc;
use sortie_rpc::ranking::v1::results_client::ResultsClient;
use sqlx::PgPool;
use time::OffsetDateTime;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use uuid::Uuid;

const SECRET: &str = "a secret of some length";

/// Nothing that a result changes has changed.
async fn nothing_counts(fixture: &Fixture) {
    assert_eq!(fixture.count("select count(*) from rating_change where is_ranked").await, 0);
    assert_eq!(fixture.count("select count(*) from player_statistics").await, 0);
    assert_eq!(fixture.count("select count(*) from weapon_statistics").await, 0);
    assert_eq!(fixture.count("select count(*) from battle_log").await, 0);
    assert_eq!(fixture.count("select coalesce(sum(battles), 0) from rating").await, 0);
    assert_eq!(fixture.count("select count(*) from battle where winner is not null").await, 0);
}

/// A battle that was given to its server a moment ago.
async fn just_begun(fixture: &Fixture) -> Uuid {
    let battle = fixture.battle().await;
    sqlx::query(
        "update battle set asked_at = now() - interval '4 seconds',
            started_at = now() - interval '3 seconds' where battle_id = $1",
    )
    .bind(battle)
    .execute(&fixture.db)
    .await
    .unwrap();
    battle
}

async fn kept(fixture: &Fixture, battle: Uuid) -> (Vec<String>, serde_json::Value) {
    sqlx::query_as("select misfits, result from result_review where battle_id = $1")
        .bind(battle)
        .fetch_one(&fixture.db)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_of_three_seconds_is_none_of_ten_minutes(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let players = fixture.players(8).await;
    let battle = just_begun(&fixture).await;
    sqlx::query("update battle set given_at = asked_at").execute(&fixture.db).await.unwrap();
    let mut report = fixture.report(battle, &players);
    report.last_tick = 36_000;
    let outcome = fixture.store(report).await;
    nothing_counts(&fixture).await;
    assert!(stored(&outcome).misfits[0].starts_with("too_long: 600 s"), "{outcome:?}");
    // The battle is over all the same, everybody is told, and the result is there to look at.
    let over = "select count(*) from battle where state = 'finished' and ticks = 36000";
    assert_eq!(fixture.count(over).await, 1);
    assert_eq!(fixture.reason(battle, players[0]).await, "under_review");
    let (misfits, result) = kept(&fixture, battle).await;
    assert_eq!(misfits, stored(&outcome).misfits);
    assert_eq!(result["players"].as_array().unwrap().len(), 8);
    // Told again, it is known.
    let again = fixture.store(fixture.report(battle, &players)).await;
    assert_eq!(again, Outcome::Known { state: "finished".to_owned() });
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn players_without_seats_and_a_thousand_kills_count_for_nothing(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let players = fixture.players(9).await;
    let battle = fixture.battle().await;
    // The ninth is somebody's friend, who was never there.
    seat(&fixture.db, &fixture.report(battle, &players[..8])).await;
    let mut report = fixture.report(battle, &players);
    report.players[8].kills = 1_000;
    let outcome = fixture.store_alone(report).await;
    nothing_counts(&fixture).await;
    let codes: Vec<&str> =
        stored(&outcome).misfits.iter().filter_map(|text| text.split(':').next()).collect();
    assert_eq!(codes, ["no_seat", "too_much"]);
    assert_eq!(fixture.count("select count(*) from battle_player").await, 8, "no seat is made");

    // Neither of the two alone.
    let battle = fixture.battle().await;
    let mut report = fixture.report(battle, &players);
    report.players[0].kills = 1_000;
    fixture.store(report).await;
    let battle = fixture.battle().await;
    seat(&fixture.db, &fixture.report(battle, &players[..8])).await;
    fixture.store_alone(fixture.report(battle, &players)).await;
    // A seat for which nobody ever came.
    let battle = fixture.battle().await;
    let report = fixture.report(battle, &players);
    seat(&fixture.db, &report).await;
    sqlx::query(
        "update battle_player set joined_at = null where battle_id = $1 and player_id = $2",
    )
    .bind(battle)
    .bind(players[0])
    .execute(&fixture.db)
    .await
    .unwrap();
    let outcome = fixture.store_alone(report).await;
    assert!(stored(&outcome).misfits[0].starts_with("no_ticket: 1 "), "{outcome:?}");
    nothing_counts(&fixture).await;
    assert_eq!(fixture.count("select count(*) from result_review").await, 4);
}

/// The service over a real listener.
async fn listen(app: &AppState) -> (ResultsClient<Channel>, Stopper) {
    let mut routes = Routes::builder();
    add_rpc(&mut routes, app, SharedSecret::new(SECRET).unwrap(), Settings::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::from_shared(format!("http://{}", listener.local_addr().unwrap()));
    let (stopper, mut stop) = stop();
    let stopped = async move { stop.asked().await };
    tokio::spawn(internal::serve(listener, routes.routes(), Vec::new(), stopped));
    (ResultsClient::new(channel.unwrap().connect_lazy()), stopper)
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_server_reports_its_own_battles_and_no_others(db: PgPool) {
    let fixture = Fixture::new(db.clone()).await;
    let other = crate::common::server(&db, "other").await;
    let identity = "update battle_server set identity_hash = sha256(convert_to(name, 'UTF8'))";
    sqlx::query(identity).execute(&db).await.unwrap();
    let players = fixture.players(8).await;
    let report = fixture.report(fixture.battle().await, &players);
    seat(&db, &report).await;
    let app = AppState::local(db);
    let (client, _stopper) = listen(&app).await;
    let send = async |report: &rpc::ReportRequest, credential: &str| -> Result<_, Status> {
        let mut request = Request::new(report.clone());
        let value = format!("Bearer {credential}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        let answer = client.clone().report(request).await?.into_inner();
        let code = answer.why.split(':').next().unwrap_or_default().to_owned();
        Ok((answer.outcome, code))
    };
    let now = OffsetDateTime::now_utc();
    let refused = |code: &str| ("refused".to_owned(), code.to_owned());
    // The secret makes nobody the server, …
    assert_eq!(send(&report, SECRET).await.unwrap(), refused("ranking.unproven_server"));
    // … nor does being another, under its own id or the server's, …
    let by_other = app.access.issue_server(other, 1, now);
    assert_eq!(send(&report, &by_other).await.unwrap_err().code(), Code::PermissionDenied);
    let own = rpc::ReportRequest { server_id: other.to_string(), ..report.clone() };
    assert_eq!(send(&own, &by_other).await.unwrap(), refused("ranking.other_server"));
    // … nor a credential of another epoch or another control plane.
    let later = app.access.issue_server(fixture.server, 2, now);
    assert_eq!(send(&report, &later).await.unwrap_err().code(), Code::PermissionDenied);
    let elsewhere = AccessKeys::generate().issue_server(fixture.server, 1, now);
    assert_eq!(send(&report, &elsewhere).await.unwrap_err().code(), Code::Unauthenticated);
    nothing_counts(&fixture).await;
    let credential = app.access.issue_server(fixture.server, 1, now);
    let (outcome, why) = send(&report, &credential).await.unwrap();
    assert_eq!((outcome.as_str(), why.as_str()), ("stored", ""));
    assert_eq!(fixture.count("select count(*) from rating_change where is_ranked").await, 8);
}

/// A name that changed hands: what was given to the server of before is not its battle.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn battles_of_an_earlier_identity_are_another_servers(db: PgPool) {
    let mut fixture = Fixture::new(db).await;
    let players = fixture.players(8).await;
    let battle = fixture.battle().await;
    sqlx::query("update battle_server set epoch = 2, identity_since = 2")
        .execute(&fixture.db)
        .await
        .unwrap();
    fixture.epoch = 2;
    let outcome = fixture.store(fixture.report(battle, &players)).await;
    assert_eq!(outcome, Outcome::Refused(sortie_ranking::report::Refusal::OtherServer));
}
