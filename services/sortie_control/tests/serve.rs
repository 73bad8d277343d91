//! What an operator meets with `sortie-control serve`: the first administrator, mails, the end.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{command, control};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Longest wait for something that has to happen.
const SOON: Duration = Duration::from_secs(60);

/// A node that ends with the test.
struct Node {
    child: Child,
    lines: BufReader<ChildStdout>,
    ready: Value,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already, where the test is about that.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Node {
    fn start(db: &PgPool, data: &Path, more: &[&str]) -> Self {
        let url = db.connect_options().to_url_lossy().to_string();
        let data = data.to_str().unwrap();
        let mut arguments = vec!["serve", "--json", "--drain", "100ms", "--data-dir", data];
        arguments.extend(["--database-url", &url]);
        let names = ["listen", "chat-listen", "admin-listen", "grpc-listen", "fleet-listen", "ops"];
        let listeners = names.map(|name| format!("--{name}=127.0.0.1:0"));
        arguments.extend(listeners.iter().map(String::as_str));
        arguments.extend(more);
        let mut child = command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut node = Self { child, lines, ready: Value::Null };
        node.ready = node.line();
        assert_eq!(node.ready["event"], "ready");
        node
    }

    /// The next line that it prints.
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Status, code of the error, body.
    async fn post(&self, listener: &str, path: &str, bearer: &str, body: &Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.ready[listener].as_str().unwrap());
        let call = reqwest::Client::new().post(url).bearer_auth(bearer).json(body);
        let answer = timeout(SOON, call.send()).await.unwrap().unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// Signs somebody up; the access token.
    async fn sign_up(&self) -> String {
        let body = json!({ "name": "Ada", "email": EMAIL, "password": "correct horse battery" });
        let (status, answer) = self.post("rest", "/v1/accounts", "", &body).await;
        assert!(status < 300, "{answer}");
        answer["tokens"]["access_token"].as_str().unwrap().to_owned()
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Waits until it has ended; its exit code.
    async fn ended(mut self) -> Option<i32> {
        let waited = tokio::task::spawn_blocking(move || self.child.wait().unwrap().code());
        timeout(SOON, waited).await.expect("it ends").unwrap()
    }
}

const EMAIL: &str = "ada@example.org";

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn who_has_the_token_that_a_node_prints_is_the_first_administrator(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&db, folder.path(), &["--dev"]);
    let claim = json!({ "token": node.ready["first_admin_token"] });
    assert!(claim["token"].is_string(), "{}", node.ready);
    let access = node.sign_up().await;
    let (status, answer) = node.post("admin", "/v1/admin/first", &access, &claim).await;
    assert_eq!(status, 204, "{answer}");
    node.terminate();
    assert_eq!(node.ended().await, Some(0));
    let node = Node::start(&db, folder.path(), &["--dev"]);
    assert_eq!(node.ready["first_admin_token"], Value::Null, "there is one now");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_token_comes_when_the_database_does(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let name = db.connect_options().get_database().unwrap().to_owned();
    let outside = (*db.connect_options()).clone().database("postgres");
    let mut outside = PgConnection::connect_with(&outside).await.unwrap();
    let open = |is_open| format!("alter database \"{name}\" with allow_connections {is_open}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(open(false))).execute(&mut outside).await.unwrap();
    let mut node = Node::start(&db, folder.path(), &["--dev"]);
    assert_eq!(node.ready["first_admin_token"], Value::Null);
    sqlx::raw_sql(sqlx::AssertSqlSafe(open(true))).execute(&mut outside).await.unwrap();
    let line = node.line();
    assert_eq!(line["event"], "first_admin");
    assert!(line["first_admin_token"].is_string(), "{line}");
}

/// What a mail server was told.
#[derive(Debug, Default)]
struct Mail {
    commands: Vec<String>,
    text: String,
}

/// A mail server that takes one mail a connection.
fn mail_server() -> (SocketAddr, Receiver<Mail>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mails) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A connection that breaks brings no mail, which the test notices.
            drop(take_mail(stream.unwrap(), &sender));
        }
    });
    (address, mails)
}

fn take_mail(mut stream: TcpStream, mails: &Sender<Mail>) -> std::io::Result<()> {
    let mut mail = Mail::default();
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 here\r\n")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let answer = match line.split_whitespace().next().unwrap_or_default() {
            "EHLO" => "250-here\r\n250 AUTH PLAIN\r\n",
            "AUTH" => "235 welcome\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let text = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".");
                mail.text = text.collect::<Vec<_>>().join("\n");
                // Nobody may be there any more.
                drop(mails.send(std::mem::take(&mut mail)));
                "250 taken\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        mail.commands.push(line);
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_mail_server_brings_the_link_to_a_new_password(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (address, mails) = mail_server();
    let file = folder.path().join("smtp-url");
    fs::write(&file, format!("smtp://sortie:geheim@{address}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let flags = ["--dev", "--mail-from", "Sortie <no-reply@example.org>"];
    let link = "https://play.example/reset/";
    let more = ["--smtp-url-file", file.to_str().unwrap(), "--reset-link", link];
    let node = Node::start(&db, folder.path(), &[&flags[..], &more].concat());
    node.sign_up().await;
    let ask = json!({ "email": EMAIL });
    let (status, answer) = node.post("rest", "/v1/password/reset-requests", "", &ask).await;
    assert_eq!(status, 202, "{answer}");
    let mail = mails.recv_timeout(SOON).expect("a mail comes");
    // NUL, name, NUL, password.
    let told = mail.commands.join("\n");
    assert!(told.contains("AUTH PLAIN AHNvcnRpZQBnZWhlaW0="), "{told}");
    assert!(told.contains("MAIL FROM:<no-reply@example.org>"), "{told}");
    assert!(told.contains("RCPT TO:<ada@example.org>"), "{told}");
    let (_, token) = mail.text.split_once(link).unwrap_or_else(|| panic!("{}", mail.text));
    let token = token.split_whitespace().next().unwrap();
    let reset = json!({ "token": token, "new_password": "another good one" });
    let (status, answer) = node.post("rest", "/v1/password/resets", "", &reset).await;
    assert_eq!(status, 204, "{answer}");
    let mail = mails.recv_timeout(SOON).expect("and one that says so");
    assert!(mail.text.contains("was changed"), "{}", mail.text);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn without_a_mail_server_nobody_is_promised_a_mail(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let names = ["access-key", "ticket-key", "fleet-secret"];
    let keys = names.map(|name| {
        let file = folder.path().join(name);
        fs::write(&file, "5e".repeat(32)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        format!("--{name}-file={}", file.to_str().unwrap())
    });
    let keys = keys.each_ref().map(String::as_str);
    let node = Node::start(&db, folder.path(), &keys);
    let ask = json!({ "email": EMAIL });
    let (status, answer) = node.post("rest", "/v1/password/reset-requests", "", &ask).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("account.mail_off")), "{answer}");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_node_ends_while_somebody_watches_its_health(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&db, folder.path(), &["--dev"]);
    let url = format!("http://{}", node.ready["grpc"].as_str().unwrap());
    let channel = Endpoint::new(url).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let mut statuses = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let first = timeout(SOON, statuses.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    node.terminate();
    let next = timeout(SOON, statuses.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(next.status(), ServingStatus::NotServing, "who watches hears of the drain");
    assert_eq!(node.ended().await, Some(0));
    drop(statuses);
}

/// Whom the answer to a browser's preflight lets in.
async fn let_in(node: &Node, listener: &str, path: &str, origin: &str) -> Option<String> {
    let url = format!("http://{}{path}", node.ready[listener].as_str().unwrap());
    let ask = reqwest::Client::new()
        .request(reqwest::Method::OPTIONS, url)
        .header("origin", origin)
        .header("access-control-request-method", "GET");
    let answer = timeout(SOON, ask.send()).await.unwrap().unwrap();
    let header = answer.headers().get("access-control-allow-origin");
    header.map(|value| value.to_str().unwrap().to_owned())
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn each_listener_lets_in_the_web_pages_that_it_was_told(db: PgPool) {
    const PLAYERS: &str = "https://play.example";
    const STAFF: &str = "https://staff.example";
    let folder = tempfile::tempdir().unwrap();
    let origins = ["--dev", "--cors-origin", PLAYERS, "--admin-cors-origin", STAFF];
    let node = Node::start(&db, folder.path(), &origins);
    let history = "/v1/chat/channels/global/-/messages";
    for (listener, path, own, foreign) in [
        ("rest", "/v1/me", PLAYERS, STAFF),
        ("chat", history, PLAYERS, STAFF),
        ("admin", "/v1/admin/flags", STAFF, PLAYERS),
    ] {
        assert_eq!(let_in(&node, listener, path, own).await.as_deref(), Some(own), "{listener}");
        assert_eq!(let_in(&node, listener, path, foreign).await, None, "{listener}");
    }
}

#[test]
fn wrong_settings_are_refused_with_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let start = ["check", "--dev", "--database-url", "postgres://here/x", "--data-dir", data];
    for (more, code, hint) in [
        (["--spectator-delay", "2m"], 2, "60s"),
        (["--chat-origin", "play.example"], 2, "https://play.example"),
        (["--chat-origin", "https://play.example/"], 2, "https://play.example"),
        (["--cors-origin", "play.example"], 2, "--cors-origin: 'play.example'"),
        (["--admin-cors-origin", "https://*.example"], 2, "--admin-cors-origin"),
        (["--mail-from", "Sortie <no@example.org>"], 3, "--smtp-url-file"),
        (["--smtp-url", "smtp://mail"], 3, "--mail-from"),
        (["--smtp-url-file", "/nonexistent/smtp"], 3, "/nonexistent/smtp"),
    ] {
        let run = control(&[&start[..], &more].concat());
        assert_eq!(run.code, code, "{more:?}: {}", run.stderr);
        assert!(run.stderr.contains(hint), "{more:?} says: {}", run.stderr);
    }
    let more = ["--smtp-url", "smtp://user:geheim@mail", "--print-config"];
    let run = control(&[&start[..], &more].concat());
    assert!(run.code == 0 && !run.stdout.contains("geheim"), "{}", run.stdout);
}
