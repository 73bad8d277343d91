//! Starts that cannot be.

use std::net::TcpListener;

use crate::common::process::folder;
use crate::common::{command, control, finished};
use crate::{data_in, processes_of};

const USAGE: i32 = 2;
const START: i32 = 3;

#[test]
fn up_without_the_program_of_battle_servers_says_so_before_it_starts_anything() {
    let folder = folder();
    let data = data_in(&folder);
    let missing = folder.path().join("nowhere/sortie");
    let mut up = command(&["up", "--port", "0", "--data-dir", data.to_str().unwrap()]);
    let run = finished(up.arg("--battle-program").arg(&missing).output().unwrap());
    assert_eq!(run.code, START, "{}", run.stderr);
    assert!(run.stderr.contains("--battle-program"), "{}", run.stderr);
    assert!(run.stderr.contains(missing.to_str().unwrap()), "{}", run.stderr);
    assert!(!data.exists(), "something was started already");
}

#[test]
fn a_taken_port_is_named_before_anything_is_made() {
    let folder = folder();
    let data = data_in(&folder);
    // The last one of the node, so that the others would be there already.
    let operations = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = (operations.local_addr().unwrap().port() - 5).to_string();
    let run = control(&["up", "--port", &first, "--data-dir", data.to_str().unwrap()]);
    assert_eq!(run.code, START, "{}", run.stderr);
    assert!(run.stderr.contains("--port"), "{}", run.stderr);
    assert!(!data.exists(), "a data directory was made already");
    let none = control(&["up", "--port", "65530", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(none.code, USAGE, "{}", none.stderr);
    assert!(none.stderr.contains("65535"), "{}", none.stderr);
}

/// The second server has no place for its data. Everything else is there already, and has to go.
#[test]
fn a_start_that_fails_late_leaves_no_process_and_a_data_directory_that_is_whole() {
    let folder = folder();
    let data = data_in(&folder);
    std::fs::create_dir(&data).unwrap();
    let stone = data.join("local-2");
    std::fs::write(&stone, "in the way").unwrap();
    let up = ["up", "--port", "0", "--servers", "2", "--json", "--data-dir"];
    let run = control(&[&up[..], &[data.to_str().unwrap()]].concat());
    assert_eq!((run.code, &*run.stdout), (START, ""), "{}", run.stderr);
    assert!(processes_of(folder.path()).is_empty(), "{:?}", processes_of(folder.path()));
    std::fs::remove_file(stone).unwrap();
    let mut again = command(&up);
    again.arg(&data).args(["--round", "5s", "--duration", "13s"]);
    let run = finished(again.output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let ready: serde_json::Value =
        serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    let nothing = serde_json::json!(
        {"battles_cancelled": 0, "tickets_withdrawn": 0, "battles_running": 0});
    assert_eq!(ready["earlier"], nothing);
}
