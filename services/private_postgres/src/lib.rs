//! A private Postgres: made in a data directory from the machine's binaries, reached over a Unix
//! socket only, and stopped with its owner.
//!
//! - It is Postgres's own server, so what runs on it runs on any other.
//! - Postgres refuses to run as root. A root owner gives the folder to the user `postgres`, or
//!   `nobody` where there is none, and starts everything as that user.
//! - A shell stands between the owner and the server: when the owner is gone, however that came,
//!   its end of a pipe is closed, and the shell stops the server. When the shell was killed as
//!   well, the next start stops what it finds.
//! - A server that ends by itself is started again on the same data by [`look_after`], which its
//!   owner calls now and then. Once; one that ends again soon has something that people must see.
//!
//! [`look_after`]: PrivateCluster::look_after

mod binaries;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

use binaries::Binaries;

/// Longest path of a Unix socket, bytes.
const SOCKET_BYTES_MAX: usize = 107;

/// Its port's number only names the socket's file.
const SOCKET: &str = ".s.PGSQL.5432";

/// How long it may take to be there: it may have to recover from an unclean stop.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a fast shutdown may take before it becomes an immediate one.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Processes of a server that was killed hold its memory until they notice; it is tried so long.
const RESTART_TIMEOUT: Duration = Duration::from_secs(20);

/// A server that ends again within this is given up.
const RESTART_PAUSE: Duration = Duration::from_secs(60);

/// Between two looks at something that is about to be.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is read of the end of a log.
const LOG_TAIL_BYTES: u64 = 16 << 10;

/// Superuser and database.
const NAME: &str = "sortie";

/// Runs the server beside itself; stops it when stdin is closed, and ends when it has ended.
const KEEPER: &str = r#"
"$@" </dev/null & server=$!
exec 3<&0 </dev/null
{ read -r _ <&3; kill -INT $server; } & reader=$!
exec 3<&-
wait $server; status=$?
kill $reader 2>/dev/null
exit $status
"#;

/// A running cluster; dropping it stops it.
#[derive(Debug)]
pub struct PrivateCluster {
    folder: PathBuf,
    log: PathBuf,
    binaries: Binaries,
    user: Option<Unprivileged>,
    keeper: Option<Child>,
    /// When it was last started again.
    restarted: Option<Instant>,
    /// Held as long as this lives: nobody else may stop this cluster.
    _lock: File,
}

impl PrivateCluster {
    /// Starts the cluster in `data_dir/postgres`, making it at the first time, with a database
    /// that may be empty.
    ///
    /// # Errors
    /// There are no binaries (the message says which package has them), another process uses the
    /// directory, or Postgres does not start (the message has the end of its log).
    pub async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        // Before anything is made: a start that cannot be leaves nothing behind.
        let binaries = Binaries::find(made_by(&data_dir.join("postgres")))?;
        let name = data_dir.display();
        fs::create_dir_all(data_dir).with_context(|| format!("cannot make {name}"))?;
        let data_dir = data_dir.canonicalize()?;
        let folder = data_dir.join("postgres");
        let socket = folder.join(SOCKET);
        if socket.as_os_str().len() > SOCKET_BYTES_MAX {
            bail!("the path of the Unix socket {} is too long; choose another", socket.display());
        }
        let lock = lock(&data_dir.join("postgres.lock"))?;
        let user = Unprivileged::needed()?;
        if let (Some(user), Some(closed)) = (&user, closed_to_others(&data_dir)) {
            bail!(
                "Postgres does not run as root, and the user {} cannot enter {}; choose another \
                 data directory",
                user.name,
                closed.display()
            );
        }
        if made_by(&folder).is_none() {
            make(&binaries, user.as_ref(), &folder)?;
        }
        let log = data_dir.join("postgres.log");
        File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let (keeper, restarted) = (None, None);
        let mut cluster = Self { folder, log, binaries, user, keeper, restarted, _lock: lock };
        cluster.spawn().await?;
        Ok(cluster)
    }

    /// Where it is reached, for sqlx and psql alike.
    pub fn url(&self) -> String {
        url(&self.folder, NAME)
    }

    /// Starts it again, on the same data, if it has ended by itself; says whether it had.
    ///
    /// # Errors
    /// It does not start, or had been started again within the last minute.
    pub async fn look_after(&mut self) -> anyhow::Result<bool> {
        if !self.has_ended() {
            return Ok(false);
        }
        let last_words = tail(&self.log);
        if self.restarted.is_some_and(|at| at.elapsed() < RESTART_PAUSE) {
            bail!(
                "Postgres has ended by itself twice within a minute; its log ends:\n{last_words}"
            );
        }
        tracing::warn!(log = last_words, "Postgres has ended by itself; it is started again");
        let deadline = Instant::now() + RESTART_TIMEOUT;
        while let Err(error) = self.spawn().await {
            if Instant::now() > deadline {
                return Err(error.context("Postgres has ended by itself"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.restarted = Some(Instant::now());
        // As loud as its end was: whoever read of that waits for this.
        tracing::warn!("Postgres is there again");
        Ok(true)
    }

    /// Stops it in order: open transactions are rolled back, all else is on disk.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn has_ended(&mut self) -> bool {
        self.keeper.as_mut().is_none_or(|keeper| !matches!(keeper.try_wait(), Ok(None)))
    }

    /// Starts the server and waits until it answers.
    async fn spawn(&mut self) -> anyhow::Result<()> {
        stop_leftover(&self.folder)?;
        let user = self.user.as_ref();
        self.keeper = Some(spawn(&self.binaries, user, &self.folder, &self.log)?);
        self.answer().await
    }

    /// Waits until it answers, and makes the database.
    async fn answer(&mut self) -> anyhow::Result<()> {
        let options: PgConnectOptions = url(&self.folder, "postgres").parse()?;
        let deadline = Instant::now() + START_TIMEOUT;
        let mut connection = loop {
            let ended = self.has_ended();
            match options.clone().disable_statement_logging().connect().await {
                Ok(connection) => break connection,
                Err(_) if !ended && Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => {
                    bail!("Postgres does not start ({error}); its log ends:\n{}", tail(&self.log));
                }
            }
        };
        let exists: bool =
            sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(NAME)
                .fetch_one(&mut connection)
                .await?;
        if !exists {
            sqlx::raw_sql("create database sortie").execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        drop(keeper.stdin.take());
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            if keeper.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(LOOK_EVERY);
        }
        if let Some(pid) = server_of(&self.folder) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        keeper.wait()?;
        bail!("Postgres did not stop within {STOP_TIMEOUT:?} and was stopped at once")
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "stopping the private Postgres");
        }
    }
}

/// The first folder on the way to `dir` that only its owner may pass through.
pub fn closed_to_others(dir: &Path) -> Option<PathBuf> {
    let passable = |dir: &Path| match fs::metadata(dir) {
        Ok(found) => found.permissions().mode() & 0o001 != 0,
        Err(_) => true, // Not there yet: it is made so that all may pass.
    };
    let dir = std::path::absolute(dir).ok()?;
    dir.ancestors().find(|dir| !passable(dir)).map(Path::to_owned)
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another process runs the private Postgres ({})", path.display())
        }
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the data directory"),
    }
}

/// Host and user in the query: both clients read the socket's folder there.
fn url(folder: &Path, database: &str) -> String {
    let folder = folder.display().to_string();
    let mut host = String::new();
    for byte in folder.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                host.push(char::from(byte));
            }
            _ => host.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("postgres://{NAME}@localhost/{database}?host={host}")
}

/// Whom root becomes to run Postgres.
#[derive(Debug)]
struct Unprivileged {
    name: String,
    uid: u32,
    gid: u32,
}

impl Unprivileged {
    /// `None`: this process is not root.
    fn needed() -> anyhow::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").context("cannot read the list of users")?;
        let find = |name: &str| users.lines().find_map(|line| Self::read(line, name));
        let user = find("postgres").or_else(|| find("nobody"));
        Ok(Some(user.context("Postgres does not run as root, and there is no user 'postgres'")?))
    }

    fn read(line: &str, name: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [found, _, uid, gid, ..] = fields[..] else { return None };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        (found == name).then(|| Self { name: name.to_owned(), uid, gid })
    }
}

/// A command that runs as the unprivileged user, apart from our terminal's signals.
fn command(program: &Path, user: Option<&Unprivileged>) -> Command {
    let mut command = Command::new(program);
    // Settings of the caller's own clients would go before ours.
    for name in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGOPTIONS"] {
        command.env_remove(name);
    }
    command.current_dir("/").process_group(0);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Major version of the cluster in `folder`; `None`: there is none.
fn made_by(folder: &Path) -> Option<u32> {
    fs::read_to_string(folder.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Makes a cluster: beside its place first, so that a cluster is whole or not there.
fn make(binaries: &Binaries, user: Option<&Unprivileged>, folder: &Path) -> anyhow::Result<()> {
    let fresh = folder.with_extension("new");
    // C.UTF-8 knows what a letter is, and sorts alike on every machine; old systems lack it.
    for locale in ["C.UTF-8", "C"] {
        drop(fs::remove_dir_all(&fresh));
        fs::create_dir(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
        if let Some(user) = user {
            chown(&fresh, Some(user.uid), Some(user.gid)).context("cannot give the folder away")?;
        }
        let made = command(&binaries.folder.join("initdb"), user)
            .arg("--pgdata")
            .arg(&fresh)
            .args(["--username", NAME, "--encoding", "UTF8", "--locale", locale])
            .args(["--auth-local", "trust", "--auth-host", "reject"])
            .stdin(Stdio::null())
            .output()
            .context("cannot run initdb")?;
        if made.status.success() {
            return fs::rename(&fresh, folder).context("cannot put the new cluster in its place");
        }
        if locale == "C" {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
    }
    Ok(())
}

fn spawn(
    binaries: &Binaries,
    user: Option<&Unprivileged>,
    folder: &Path,
    log: &Path,
) -> anyhow::Result<Child> {
    let written = File::options().append(true).open(log);
    let written = written.with_context(|| format!("cannot write {}", log.display()))?;
    let mut socket = std::ffi::OsString::from("unix_socket_directories=");
    socket.push(folder);
    command(Path::new("/bin/sh"), user)
        .args(["-c", KEEPER, "postgres-keeper"])
        .arg(binaries.folder.join("postgres"))
        .arg("-D")
        .arg(folder)
        .args(["-c", "listen_addresses=", "-c", "port=5432", "-c"])
        .arg(socket)
        .stdin(Stdio::piped())
        .stdout(written.try_clone()?)
        .stderr(written)
        .spawn()
        .context("cannot start Postgres")
}

/// The server that runs on `folder`, by its own pid file; `None`: there is none.
fn server_of(folder: &Path) -> Option<Pid> {
    let file = fs::read_to_string(folder.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(file.lines().next()?.trim().parse().ok()?)?;
    // The number may be another process's by now.
    let command = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).ok()?;
    let is_ours =
        command.split(|&byte| byte == 0).any(|part| part == folder.as_os_str().as_encoded_bytes());
    is_ours.then_some(pid)
}

/// Stops a server whose owner and keeper were both killed, and forgets one that is dead.
fn stop_leftover(folder: &Path) -> anyhow::Result<()> {
    if let Some(pid) = server_of(folder) {
        tracing::warn!("a Postgres was left behind; stopping it");
        for signal in [Signal::INT, Signal::QUIT] {
            let _ = kill_process(pid, signal);
            let deadline = Instant::now() + STOP_TIMEOUT;
            while server_of(folder).is_some() && Instant::now() < deadline {
                thread::sleep(LOOK_EVERY);
            }
        }
        if server_of(folder).is_some() {
            bail!("a Postgres that was left behind does not stop");
        }
    }
    // Postgres believes the file when its number is any living process's.
    match fs::remove_file(folder.join("postmaster.pid")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn tail(log: &Path) -> String {
    let mut end = Vec::new();
    if let Ok(mut file) = File::open(log) {
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        // What cannot be read is not told.
        drop(
            file.seek(SeekFrom::Start(bytes.saturating_sub(LOG_TAIL_BYTES)))
                .and_then(|_| file.read_to_end(&mut end)),
        );
    }
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    /// A data directory that the unprivileged user can enter.
    fn data_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        dir
    }

    async fn count(cluster: &PrivateCluster, statement: &str) -> i64 {
        let db = PgPool::connect(&cluster.url()).await.unwrap();
        let count =
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&db).await.unwrap();
        db.close().await;
        count
    }

    /// Whether it has ended; nobody may have asked for its status yet.
    fn is_gone(pid: Pid) -> bool {
        fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default().is_empty()
    }

    async fn wait_until_gone(pid: Pid) {
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !is_gone(pid) {
            assert!(Instant::now() < deadline, "the server is still there");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_stop_and_a_start() {
        let dir = data_dir();
        let cluster = PrivateCluster::start(dir.path()).await.unwrap();
        let db = PgPool::connect(&cluster.url()).await.unwrap();
        sqlx::raw_sql("create table kept as select 7 as n").execute(&db).await.unwrap();
        let letters: bool = sqlx::query_scalar("select lower('ÄÖ') = 'äö' and 'ä' ~ '[[:alnum:]]'")
            .fetch_one(&db)
            .await
            .unwrap();
        assert!(letters, "letters beyond ASCII are letters");
        let ports: String =
            sqlx::query_scalar("show listen_addresses").fetch_one(&db).await.unwrap();
        assert_eq!(ports, "", "no port is open");
        db.close().await;
        let pid = server_of(&cluster.folder).unwrap();
        cluster.stop().unwrap();
        assert!(is_gone(pid));
        let cluster = PrivateCluster::start(dir.path()).await.unwrap();
        assert_eq!(count(&cluster, "select count(*) from kept where n = 7").await, 1);
    }

    #[tokio::test]
    async fn a_directory_has_one_owner() {
        let dir = data_dir();
        let cluster = PrivateCluster::start(dir.path()).await.unwrap();
        let second = PrivateCluster::start(dir.path()).await.unwrap_err();
        assert!(second.to_string().contains("another process"), "{second}");
        drop(cluster);
        PrivateCluster::start(dir.path()).await.unwrap();
    }

    #[tokio::test]
    async fn it_ends_when_its_owner_is_killed() {
        let dir = data_dir();
        let mut cluster = PrivateCluster::start(dir.path()).await.unwrap();
        let server = server_of(&cluster.folder).unwrap();
        // The kernel closes a killed owner's end of the pipe.
        drop(cluster.keeper.as_mut().unwrap().stdin.take());
        wait_until_gone(server).await;
    }

    #[tokio::test]
    async fn what_a_killed_keeper_left_is_stopped_by_the_next_start() {
        let dir = data_dir();
        let mut cluster = PrivateCluster::start(dir.path()).await.unwrap();
        let server = server_of(&cluster.folder).unwrap();
        let mut keeper = cluster.keeper.take().unwrap();
        let open = keeper.stdin.take();
        keeper.kill().unwrap();
        keeper.wait().unwrap();
        drop(cluster);
        assert!(!is_gone(server));
        let cluster = PrivateCluster::start(dir.path()).await.unwrap();
        assert!(is_gone(server));
        assert_eq!(count(&cluster, "select 1::bigint").await, 1);
        drop(open);
    }

    #[tokio::test]
    async fn a_server_that_ends_by_itself_is_started_again_once_a_minute() {
        let dir = data_dir();
        let mut cluster = PrivateCluster::start(dir.path()).await.unwrap();
        assert!(!cluster.look_after().await.unwrap(), "all is well");
        let db = PgPool::connect(&cluster.url()).await.unwrap();
        sqlx::query("create table kept as select 7::bigint as n").execute(&db).await.unwrap();
        kill_and_wait(&mut cluster).await;
        assert!(cluster.look_after().await.unwrap());
        assert!(!cluster.look_after().await.unwrap(), "it is there again");
        assert_eq!(count(&cluster, "select n from kept").await, 7);
        kill_and_wait(&mut cluster).await;
        let error = cluster.look_after().await.unwrap_err().to_string();
        assert!(error.contains("twice within a minute"), "{error}");
        // The keeper, too, may be what ends.
        cluster.restarted = None;
        assert!(cluster.look_after().await.unwrap());
        cluster.restarted = None;
        let keeper = cluster.keeper.as_mut().unwrap();
        keeper.kill().unwrap();
        keeper.wait().unwrap();
        assert!(cluster.look_after().await.unwrap());
        assert_eq!(count(&cluster, "select n from kept").await, 7);
    }

    /// Kills the server, and waits until its keeper has seen it.
    async fn kill_and_wait(cluster: &mut PrivateCluster) {
        kill_process(server_of(&cluster.folder).unwrap(), Signal::KILL).unwrap();
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !cluster.has_ended() {
            assert!(Instant::now() < deadline, "the keeper is still there");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    #[tokio::test]
    async fn an_unclean_stop_is_recovered_from() {
        let dir = data_dir();
        let mut cluster = PrivateCluster::start(dir.path()).await.unwrap();
        let db = PgPool::connect(&cluster.url()).await.unwrap();
        sqlx::query("create table kept as select 7::bigint as n").execute(&db).await.unwrap();
        let server = server_of(&cluster.folder).unwrap();
        kill_process(server, Signal::KILL).unwrap();
        wait_until_gone(server).await;
        drop(cluster.keeper.take());
        // Its number belongs to another process by now: this one.
        let pid_file = cluster.folder.join("postmaster.pid");
        let stale = fs::read_to_string(&pid_file).unwrap();
        let (_, rest) = stale.split_once('\n').unwrap();
        fs::write(&pid_file, format!("{}\n{rest}", std::process::id())).unwrap();
        drop((db, cluster));
        let cluster = PrivateCluster::start(dir.path()).await.unwrap();
        assert_eq!(count(&cluster, "select n from kept").await, 7);
    }
}
