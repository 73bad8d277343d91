//! What was started dies.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sortie_private_postgres::PrivateCluster;
use sortie_rpc::fleet::v1::DrainRequest;
use sortie_rpc::fleet::v1::fleet_client::FleetClient;
use sqlx::{Connection, PgConnection};

use crate::common::process::{eventually, folder};
use crate::{Up, data_in, processes_of};

/// As when the system runs out of memory.
fn kill_postgres(data: &Path) {
    let file = data.join("postgres/postmaster.pid");
    let file = std::fs::read_to_string(file).unwrap();
    let pid = file.lines().next().unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_postgres_that_dies_is_started_again_and_ends_the_run_when_it_dies_again() {
    let mut up = Up::start(&[]).await;
    let mut db = PgConnection::connect(up.database()).await.unwrap();
    sqlx::query("create table kept as select 7::bigint as n").execute(&mut db).await.unwrap();
    kill_postgres(&data_in(&up.folder));
    let kept = async || {
        let mut db = PgConnection::connect(up.database()).await.ok()?;
        sqlx::query_scalar::<_, i64>("select n from kept").fetch_one(&mut db).await.ok()
    };
    assert_eq!(eventually("the same data", kept).await, 7);
    // One that dies while it is being started is started again, as often as it takes.
    let is_told = async || {
        up.process.log().iter().any(|line| line.contains("Postgres is there again")).then_some(())
    };
    eventually("the end of the restart", is_told).await;
    let ready = format!("http://{}/readyz", up.ready["ops"].as_str().unwrap());
    let is_ready = async || {
        let answer = reqwest::get(&ready).await.ok()?;
        answer.status().is_success().then_some(())
    };
    eventually("a node that is ready", is_ready).await;
    kill_postgres(&data_in(&up.folder));
    assert_eq!(up.process.ended().await, Some(4));
    let log = up.process.log().join("\n");
    assert!(log.contains("Postgres has ended by itself twice within a minute"), "{log}");
    let report = up.process.wait_for("report").await;
    assert_eq!((&report["ended_by"], &report["database_restarts"]), (&"failure".into(), &1.into()));
    up.nothing_is_left().await;
}

#[tokio::test]
async fn a_postgres_that_dies_just_before_the_end_costs_nothing() {
    let mut up = Up::start(&[]).await;
    kill_postgres(&data_in(&up.folder));
    up.signal(Signal::TERM);
    assert_eq!(up.process.ended().await, Some(0));
    let report = up.process.wait_for("report").await;
    assert_eq!(report["missed"], serde_json::json!([]), "{report}");
    up.nothing_is_left().await;
}

#[tokio::test]
async fn a_database_of_somebody_else_that_dies_is_waited_for() {
    let folder = folder();
    let mut cluster = PrivateCluster::start(folder.path()).await.unwrap();
    let mut up = Up::start(&["--database-url", &cluster.url()]).await;
    kill_postgres(folder.path());
    up.signal(Signal::TERM);
    let is_told =
        async || up.process.log().iter().any(|line| line.contains("the end waits")).then_some(());
    eventually("a word about the database", is_told).await;
    // Somebody else starts it again.
    while !cluster.look_after().await.unwrap() {
        tokio::task::yield_now().await;
    }
    assert_eq!(up.process.ended().await, Some(0));
    let report = up.process.wait_for("report").await;
    assert_eq!(report["missed"], json!([]), "{report}");
    assert_eq!(report["ended_by"], "signal", "{report}");
    up.nothing_is_left().await;
    tokio::task::spawn_blocking(move || cluster.stop()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_battle_server_that_dies_ends_the_run_by_its_name() {
    let mut up = Up::start(&["--servers", "2"]).await;
    let all = processes_of(up.folder.path());
    let second = all.iter().find(|(_, command)| command.contains("--name local-2")).unwrap();
    kill_process(second.0, Signal::KILL).unwrap();
    assert_eq!(up.process.ended().await, Some(4));
    let log = up.process.log().join("\n");
    assert!(log.contains("the battle server local-2 has ended by itself"), "{log}");
    up.nothing_is_left().await;
}

#[tokio::test]
async fn a_battle_server_that_is_drained_is_replaced_by_a_fresh_one() {
    let mut up = Up::start(&[]).await;
    let mut db = PgConnection::connect(up.database()).await.unwrap();
    let secret = data_in(&up.folder).join("keys/fleet-secret");
    let secret = std::fs::read_to_string(secret).unwrap();
    let fleet = format!("http://{}", up.ready["fleet"].as_str().unwrap());
    let mut fleet = FleetClient::connect(fleet).await.unwrap();
    let server = "select server_id::text, epoch from battle_server";
    let (server_id, epoch): (String, i64) =
        sqlx::query_as(server).fetch_one(&mut db).await.unwrap();
    let mut request = tonic::Request::new(DrainRequest { server_id });
    let bearer = format!("Bearer {}", secret.trim()).parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    fleet.drain(request).await.unwrap();
    let is_fresh = async || {
        let server = "select count(*) from battle_server where state = 'ready' and epoch > $1";
        let mut db = PgConnection::connect(up.database()).await.ok()?;
        let fresh: i64 = sqlx::query_scalar(server).bind(epoch).fetch_one(&mut db).await.ok()?;
        (fresh == 1).then_some(())
    };
    eventually("a fresh server that takes battles", is_fresh).await;
    up.signal(Signal::TERM);
    assert_eq!(up.process.ended().await, Some(0));
    let report = up.process.wait_for("report").await;
    assert_eq!((&report["servers_replaced"], &report["missed"]), (&1.into(), &json!([])));
    let log = up.process.log().join("\n");
    assert!(log.contains("was drained and has ended; a fresh one starts"), "{log}");
    up.nothing_is_left().await;
}

#[tokio::test]
async fn what_up_started_ends_when_up_is_killed() {
    let up = Up::start(&[]).await;
    assert!(processes_of(up.folder.path()).len() >= 3, "up, a battle server, Postgres");
    up.signal(Signal::KILL);
    up.nothing_is_left().await;
}
