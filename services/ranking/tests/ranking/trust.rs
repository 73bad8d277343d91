//! What a battle server may say: of its own battles, and what can have been.

use crate::common::{World, seat, stored};
use sortie_control::access::AccessKeys;
use sortie_control::internal::{self, SharedSecret};
use sortie_control::plane::Plane;
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
async fn nothing_counts(world: &World) {
    assert_eq!(world.count("select count(*) from rating_change where is_ranked").await, 0);
    assert_eq!(world.count("select count(*) from player_statistics").await, 0);
    assert_eq!(world.count("select count(*) from weapon_statistics").await, 0);
    assert_eq!(world.count("select count(*) from battle_log").await, 0);
    assert_eq!(world.count("select coalesce(sum(battles), 0) from rating").await, 0);
    assert_eq!(world.count("select count(*) from battle where winner is not null").await, 0);
}

/// A battle that was given to its server a moment ago.
async fn just_begun(world: &World) -> Uuid {
    let battle = world.battle().await;
    sqlx::query(
        "update battle set asked_at = now() - interval '4 seconds',
            started_at = now() - interval '3 seconds' where battle_id = $1",
    )
    .bind(battle)
    .execute(&world.db)
    .await
    .unwrap();
    battle
}

async fn kept(world: &World, battle: Uuid) -> (Vec<String>, serde_json::Value) {
    sqlx::query_as("select misfits, result from result_review where battle_id = $1")
        .bind(battle)
        .fetch_one(&world.db)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_of_three_seconds_is_none_of_ten_minutes(db: PgPool) {
    let world = World::new(db).await;
    let players = world.players(8).await;
    let battle = just_begun(&world).await;
    sqlx::query("update battle set given_at = asked_at").execute(&world.db).await.unwrap();
    let mut report = world.report(battle, &players);
    report.last_tick = 36_000;
    let outcome = world.store(report).await;
    nothing_counts(&world).await;
    assert!(stored(&outcome).misfits[0].starts_with("too_long: 600 s"), "{outcome:?}");
    // The battle is over all the same, everybody is told, and the result is there to look at.
    let over = "select count(*) from battle where state = 'finished' and ticks = 36000";
    assert_eq!(world.count(over).await, 1);
    assert_eq!(world.reason(battle, players[0]).await, "under_review");
    let (misfits, result) = kept(&world, battle).await;
    assert_eq!(misfits, stored(&outcome).misfits);
    assert_eq!(result["players"].as_array().unwrap().len(), 8);
    // Told again, it is known.
    let again = world.store(world.report(battle, &players)).await;
    assert_eq!(again, Outcome::Known { state: "finished".to_owned() });
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn players_without_seats_and_a_thousand_kills_count_for_nothing(db: PgPool) {
    let world = World::new(db).await;
    let players = world.players(9).await;
    let battle = world.battle().await;
    // The ninth is somebody's friend, who was never there.
    seat(&world.db, &world.report(battle, &players[..8])).await;
    let mut report = world.report(battle, &players);
    report.players[8].kills = 1_000;
    let outcome = world.store_alone(report).await;
    nothing_counts(&world).await;
    let codes: Vec<&str> =
        stored(&outcome).misfits.iter().filter_map(|text| text.split(':').next()).collect();
    assert_eq!(codes, ["no_seat", "too_much"]);
    assert_eq!(world.count("select count(*) from battle_player").await, 8, "no seat is made");

    // Neither of the two alone.
    let battle = world.battle().await;
    let mut report = world.report(battle, &players);
    report.players[0].kills = 1_000;
    world.store(report).await;
    let battle = world.battle().await;
    seat(&world.db, &world.report(battle, &players[..8])).await;
    world.store_alone(world.report(battle, &players)).await;
    // A seat for which nobody ever came.
    let battle = world.battle().await;
    let report = world.report(battle, &players);
    seat(&world.db, &report).await;
    sqlx::query(
        "update battle_player set joined_at = null where battle_id = $1 and player_id = $2",
    )
    .bind(battle)
    .bind(players[0])
    .execute(&world.db)
    .await
    .unwrap();
    let outcome = world.store_alone(report).await;
    assert!(stored(&outcome).misfits[0].starts_with("no_ticket: 1 "), "{outcome:?}");
    nothing_counts(&world).await;
    assert_eq!(world.count("select count(*) from result_review").await, 4);
}

/// The service over a real listener.
async fn listen(plane: &Plane) -> (ResultsClient<Channel>, Stopper) {
    let mut routes = Routes::builder();
    add_rpc(&mut routes, plane, SharedSecret::new(SECRET).unwrap(), Settings::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = Channel::from_shared(format!("http://{}", listener.local_addr().unwrap()));
    let (stopper, mut stop) = stop();
    let stopped = async move { stop.asked().await };
    tokio::spawn(internal::serve(listener, routes.routes(), Vec::new(), stopped));
    (ResultsClient::new(channel.unwrap().connect_lazy()), stopper)
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_server_reports_its_own_battles_and_no_others(db: PgPool) {
    let world = World::new(db.clone()).await;
    let other = crate::common::server(&db, "other").await;
    let identity = "update battle_server set identity_hash = sha256(convert_to(name, 'UTF8'))";
    sqlx::query(identity).execute(&db).await.unwrap();
    let players = world.players(8).await;
    let report = world.report(world.battle().await, &players);
    seat(&db, &report).await;
    let plane = Plane::local(db);
    let (client, _stopper) = listen(&plane).await;
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
    let by_other = plane.access.issue_server(other, 1, now);
    assert_eq!(send(&report, &by_other).await.unwrap_err().code(), Code::PermissionDenied);
    let own = rpc::ReportRequest { server_id: other.to_string(), ..report.clone() };
    assert_eq!(send(&own, &by_other).await.unwrap(), refused("ranking.other_server"));
    // … nor a credential of another epoch or another control plane.
    let later = plane.access.issue_server(world.server, 2, now);
    assert_eq!(send(&report, &later).await.unwrap_err().code(), Code::PermissionDenied);
    let elsewhere = AccessKeys::generate().issue_server(world.server, 1, now);
    assert_eq!(send(&report, &elsewhere).await.unwrap_err().code(), Code::Unauthenticated);
    nothing_counts(&world).await;
    let credential = plane.access.issue_server(world.server, 1, now);
    let (outcome, why) = send(&report, &credential).await.unwrap();
    assert_eq!((outcome.as_str(), why.as_str()), ("stored", ""));
    assert_eq!(world.count("select count(*) from rating_change where is_ranked").await, 8);
}

/// A name that changed hands: what was given to the server of before is not its battle.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn battles_of_an_earlier_identity_are_another_servers(db: PgPool) {
    let mut world = World::new(db).await;
    let players = world.players(8).await;
    let battle = world.battle().await;
    sqlx::query("update battle_server set epoch = 2, identity_since = 2")
        .execute(&world.db)
        .await
        .unwrap();
    world.epoch = 2;
    let outcome = world.store(world.report(battle, &players)).await;
    assert_eq!(outcome, Outcome::Refused(sortie_ranking::report::Refusal::OtherServer));
}
