//! The control plane as a person runs it: real processes, a real Postgres.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{ConnectOptions, PgPool};

fn sortie(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sortie-control"));
    command.args(arguments);
    command
}

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = sortie(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A node that ends with the test.
struct Node(Child, Value);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(url: &str, data: &Path) -> Node {
    let mut arguments = vec!["serve", "--dev", "--database-url", url, "--json", "--drain", "1s"];
    arguments.extend(["--data-dir", data.to_str().unwrap()]);
    let listeners = ["listen", "chat-listen", "admin-listen", "grpc-listen", "fleet-listen", "ops"];
    let flags = listeners.map(|name| format!("--{name}=127.0.0.1:0"));
    arguments.extend(flags.iter().map(String::as_str));
    let mut child = sortie(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Node(child, serde_json::from_str(&line).unwrap())
}

fn get(address: &Value, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address.as_str().unwrap()).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, answer))
}

fn wait_for(what: &str, mut fact: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fact() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[sqlx::test(migrations = false)]
async fn a_node_starts_on_a_migrated_database_only_and_drains_in_order(db: PgPool) {
    let url = db.connect_options().to_url_lossy().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (code, _, stderr) = output(&["serve", "--database-url", &url, "--data-dir", data]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("--access-key-file"), "{stderr}");
    let start = ["--dev", "--database-url", &url, "--data-dir", data];
    let (code, _, stderr) = output(&[&["serve"][..], &start].concat());
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("sortie-control migrate up"), "{stderr}");
    assert_eq!(output(&["migrate", "status", "--database-url", &url]).0, Some(1));
    assert_eq!(output(&["migrate", "up", "--database-url", &url]).0, Some(0));
    assert_eq!(output(&["migrate", "status", "--database-url", &url]).0, Some(0));
    let (code, _, stderr) = output(&[&["check"][..], &start].concat());
    assert_eq!(code, Some(0), "{stderr}");

    let mut node = serve(&url, folder.path());
    let ready = node.1.clone();
    wait_for("ready", || get(&ready["ops"], "/readyz").is_some_and(|(status, _)| status == 200));
    let (status, document) = get(&ready["rest"], "/v1/openapi.json").unwrap();
    assert!(status == 200 && document.contains("/v1/accounts"), "{status}");
    // Players appeal where players are: the route is there, and asks for a login.
    let (status, answer) = get(&ready["rest"], "/v1/me/bans").unwrap();
    assert!(status == 401 && answer.contains("auth.missing"), "{answer}");
    let pid = rustix::process::Pid::from_child(&node.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    wait_for("not ready", || {
        get(&ready["ops"], "/readyz")
            .is_some_and(|(status, body)| status == 503 && body.contains("shutting down"))
    });
    assert!(get(&ready["rest"], "/v1/openapi.json").is_some(), "calls go on while it drains");
    assert!(node.0.wait().unwrap().success());
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_diverged_schema_ends_the_start(db: PgPool) {
    let url = db.connect_options().to_url_lossy().to_string();
    sqlx::query("update _sqlx_migrations set checksum = '\\x00' where version = 1")
        .execute(&db)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["serve", "--dev", "--database-url", &url, "--data-dir", data];
    let (code, _, stderr) = output(&arguments);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("diverged"), "{stderr}");
    let (code, stdout, _) = output(&["migrate", "status", "--json", "--database-url", &url]);
    let state: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &state["diverged"]), (Some(1), &serde_json::json!([1])));
}
