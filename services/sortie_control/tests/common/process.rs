//! Processes of `sortie-control` and `sortie` that end with the test.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

use super::{command, sortie};

/// Longest wait for something that has to happen; other tests may have the cores.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Between two looks at something that is about to be.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running process.
pub(crate) struct Process {
    child: Child,
    told: Arc<Mutex<Vec<Value>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts `sortie-control`, which prints JSON lines.
    pub(crate) fn control(arguments: &[&str]) -> Self {
        Self::start(command(arguments))
    }

    /// Starts `sortie`, which prints JSON lines.
    pub(crate) fn sortie(arguments: &[&str]) -> Self {
        Self::start(sortie(arguments))
    }

    fn start(mut command: Command) -> Self {
        command.arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let told = collect(stdout, |line| serde_json::from_str(&line).unwrap_or_default());
        Self { child, told, log: collect(stderr, |line| line) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All lines of stdout.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }

    /// The first line of an event, if it was told.
    pub(crate) fn event(&self, event: &str) -> Option<Value> {
        self.told.lock().unwrap().iter().find(|line| line["event"] == event).cloned()
    }

    pub(crate) async fn wait_for(&self, event: &str) -> Value {
        eventually(event, || async { self.event(event) }).await
    }

    /// Waits until it has ended by itself; its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the process does not end");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// All that it logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// What it logged at error level.
    pub(crate) fn errors(&self) -> Vec<String> {
        let is_error = |line: &&String| line.contains(" ERROR ") || line.contains("panicked at");
        self.log.lock().unwrap().iter().filter(is_error).cloned().collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, most of them.
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            let log = self.log.lock().unwrap();
            eprintln!("{}", log[log.len().saturating_sub(40)..].join("\n"));
        }
    }
}

fn collect<T: Send + 'static>(
    pipe: impl Read + Send + 'static,
    make: impl Fn(String) -> T + Send + 'static,
) -> Arc<Mutex<Vec<T>>> {
    let all: Arc<Mutex<Vec<T>>> = Arc::default();
    let kept = Arc::clone(&all);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            kept.lock().unwrap().push(make(line));
        }
    });
    all
}

/// Looks until something is there.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A node of all roles, and where it listens.
pub(crate) async fn serve(url: &str, data: &Path, more: &[&str]) -> (Process, Value) {
    let listeners = ["listen", "chat-listen", "admin-listen", "grpc-listen", "fleet-listen", "ops"];
    let flags = listeners.map(|name| format!("--{name}=127.0.0.1:0"));
    let mut arguments = vec!["serve", "--dev", "--database-url", url];
    arguments.extend(["--data-dir", data.to_str().unwrap()]);
    arguments.extend(flags.iter().map(String::as_str));
    arguments.extend(more);
    let node = Process::control(&arguments);
    let ready = node.wait_for("ready").await;
    (node, ready)
}

/// A folder that Postgres's user can enter.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}
