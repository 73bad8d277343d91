//! What was started dies.

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};

use crate::common::process::eventually;
use crate::{Up, data_in, processes_of};

/// As when the system runs out of memory.
fn kill_postgres(up: &Up) {
    let file = data_in(&up.folder).join("postgres/postmaster.pid");
    let file = std::fs::read_to_string(file).unwrap();
    let pid = file.lines().next().unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_postgres_that_dies_is_started_again_and_ends_the_run_when_it_dies_again() {
    let mut up = Up::start(&[]).await;
    let mut db = PgConnection::connect(up.database()).await.unwrap();
    sqlx::query("create table kept as select 7::bigint as n").execute(&mut db).await.unwrap();
    kill_postgres(&up);
    let kept = async || {
        let mut db = PgConnection::connect(up.database()).await.ok()?;
        sqlx::query_scalar::<_, i64>("select n from kept").fetch_one(&mut db).await.ok()
    };
    assert_eq!(eventually("the same data", kept).await, 7);
    let ready = format!("http://{}/readyz", up.ready["ops"].as_str().unwrap());
    let is_ready = async || {
        let answer = reqwest::get(&ready).await.ok()?;
        answer.status().is_success().then_some(())
    };
    eventually("a node that is ready", is_ready).await;
    kill_postgres(&up);
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
    kill_postgres(&up);
    up.signal(Signal::TERM);
    assert_eq!(up.process.ended().await, Some(0));
    let report = up.process.wait_for("report").await;
    assert_eq!(report["missed"], serde_json::json!([]), "{report}");
    up.nothing_is_left().await;
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
async fn what_up_started_ends_when_up_is_killed() {
    let up = Up::start(&[]).await;
    assert!(processes_of(up.folder.path()).len() >= 3, "up, a battle server, Postgres");
    up.signal(Signal::KILL);
    up.nothing_is_left().await;
}
