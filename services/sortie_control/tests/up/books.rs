//! Runs with bots: how long they last, what they print, and whether their books balance.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::common::process::{eventually, folder};
use crate::common::{command, control, finished};
use crate::{Up, data_in, processes_of};

#[test]
fn up_with_bots_plays_battles_and_keeps_its_promises() {
    let folder = folder();
    let data = data_in(&folder);
    let up = ["up", "--bots", "6", "--round", "5s", "--duration", "24s", "--port", "0", "--json"];
    let run = control(&[&up[..], &["--data-dir", data.to_str().unwrap()]].concat());
    let lines = run.stdout.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>().expect("an object a line");
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["ready", "report"], "{}", run.stderr);
    let report = &lines[1];
    assert_eq!(run.code, 0, "{report:#}\n{}", run.stderr);
    assert_eq!((&report["missed"], &report["ended_by"]), (&json!([]), &json!("duration")));
    assert!(report["results_stored"].as_u64().unwrap() >= 1, "{report:#}");
    assert!(report["rating_rows"].as_u64().unwrap() >= 4, "{report:#}");
    // By the clock: bots play all the time, and not longer.
    let played_s = report["duration_s"].as_f64().unwrap();
    assert!((24.0..34.0).contains(&played_s), "{report:#}");
    // Rounds that were asked for count, however short they are.
    let reasons = &report["rating_reasons"];
    assert!(reasons["ranked"].as_u64().unwrap() >= 4, "{report:#}");
    assert_eq!(reasons["too_short"], Value::Null, "{report:#}");
    assert!(processes_of(folder.path()).is_empty(), "{:?}", processes_of(folder.path()));
}

/// The result of a battle that the first run began comes in the second one: the first was killed,
/// and its battle server ended the battle without a control plane.
#[tokio::test]
async fn a_run_counts_its_own_battles_only_and_shows_itself_to_the_end() {
    let mut up = Up::start(&["--bots", "6", "--round", "60s"]).await;
    let db = PgPool::connect(up.database()).await.unwrap();
    let told = "select count(*) from battle
        where state = 'running' and (status->>'players')::integer > 0";
    let is_running = async || {
        let running: i64 = sqlx::query_scalar(told).fetch_one(&db).await.unwrap();
        (running > 0).then_some(())
    };
    eventually("a battle with players", is_running).await;
    up.signal(Signal::KILL);
    up.process.ended().await;
    up.nothing_is_left().await;

    let data = data_in(&up.folder);
    let again = ["up", "--bots", "6", "--round", "5s", "--duration", "20s", "--port", "0"];
    let mut again = command(&again);
    let run = finished(again.args(["--data-dir", data.to_str().unwrap()]).output().unwrap());
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("1 battle that was under way goes on"), "{}", run.stdout);
    let shown: Vec<&str> = run.stderr.lines().filter(|line| line.contains(" matched, ")).collect();
    assert!(shown.iter().any(|line| line.contains("ending")), "{shown:?}");
    let last = shown.last().unwrap();
    let (seconds, line) = last.trim().split_once("s ").unwrap();
    assert!(line.starts_with("over  6 bots in, 0 queueing, 0 matched, 0 fighting"), "{last}");
    assert!(seconds.parse::<f64>().unwrap() >= 20.0, "{last}");
    for part in ["won by team 0", "leaders", "won, ", "standard deviation"] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
}

/// How many battles are played: 8, or `SORTIE_BATTLES` (`infra/test long` plays 20).
fn battles_wanted() -> i64 {
    std::env::var("SORTIE_BATTLES").map_or(8, |count| count.parse().expect("a number"))
}

#[tokio::test]
async fn battles_have_winners_and_ratings_spread() {
    let wanted = battles_wanted();
    let mut up = Up::start(&["--bots", "32", "--servers", "4", "--round", "20s"]).await;
    let db = PgPool::connect(up.database()).await.unwrap();
    let ended = "select count(*) from battle where ended_by in ('round', 'duration')";
    let deadline = Instant::now() + Duration::from_secs(120 + 15 * wanted.unsigned_abs());
    while sqlx::query_scalar::<_, i64>(ended).fetch_one(&db).await.unwrap() < wanted {
        assert!(Instant::now() < deadline, "{wanted} battles take too long");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    up.signal(Signal::TERM);
    assert_eq!(up.process.ended().await, Some(0));
    let report = up.process.wait_for("report").await;
    assert_eq!(report["missed"], json!([]), "{report:#}");
    let count = |number: &Value| number.as_i64().unwrap();
    let outcomes = &report["outcomes"];
    let won = [0, 1].map(|team| count(&outcomes["won"][team]));
    // One battle in ten is drawn. What chance may bring in eight, it does not in twenty.
    let is_many = wanted >= 20;
    let times = if is_many { 2 } else { 1 };
    assert!(won[0] + won[1] > times * count(&outcomes["drawn"]), "{report:#}");
    assert!(!is_many || won.iter().all(|&won| won > 0), "both teams win: {report:#}");
    let ratings = &report["ratings"];
    assert!(count(&ratings["players"]) >= 24, "{report:#}");
    assert!(ratings["spread"].as_f64().unwrap() > 1.0, "{report:#}");
    assert!(ratings["highest"].as_f64().unwrap() > 26.0, "{report:#}");
    assert!(ratings["lowest"].as_f64().unwrap() < 24.0, "{report:#}");
    let best = &report["leaders"][0];
    assert!(count(&best["wins"]) > count(&best["losses"]), "{report:#}");
}
