//! The real Postgres and Redis that are measured against: those that were named, or private ones
//! that end with this program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sortie_control::access::AccessKeys;
use sortie_control::bus::redis;
use sortie_control::bus::seal::Seal;
use sortie_control::clock::Clock;
use sortie_control::store;
use sortie_private_postgres::PrivateCluster;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::fixture::{CONNECTIONS, with_database};

const REDIS_TIMEOUT: Duration = Duration::from_secs(5);

/// Both servers, and the databases that were made.
#[derive(Debug)]
pub(crate) struct Servers {
    /// On which databases are made and dropped.
    pub postgres: PgPool,
    /// Whose it is.
    pub whose: String,
    /// The address of Redis; `None`: there is none.
    pub redis: Option<String>,
    /// What to say about it.
    pub about_redis: String,
    url: String,
    made: Mutex<Vec<String>>,
    // In this order: servers end before their folder goes.
    cluster: Option<PrivateCluster>,
    child: Option<RedisChild>,
    _folder: Option<TempDir>,
}

impl Servers {
    /// Those at the addresses; private ones where there is none.
    pub(crate) async fn start(url: Option<&str>, redis: Option<&str>) -> anyhow::Result<Self> {
        let mut folder = None;
        let (mut cluster, mut child) = (None, None);
        let (url, whose) = match url {
            Some(url) => (url.to_owned(), "the server that was named".to_owned()),
            None => {
                let folder = folder.insert(private_folder()?);
                let private = PrivateCluster::start(folder.path()).await?;
                let url = private.url();
                cluster = Some(private);
                (url, "private, as `sortie-control up` starts it".to_owned())
            }
        };
        let mut redis = redis.map(str::to_owned);
        if redis.is_none() {
            let folder = match &mut folder {
                Some(folder) => folder,
                none => none.insert(private_folder()?),
            };
            child = RedisChild::start(folder.path())?;
            redis = child.as_ref().map(|child| child.url.clone());
        }
        let about_redis = match (&redis, &child) {
            (None, _) => "none: no --redis-url, and no redis-server in PATH".to_owned(),
            (Some(_), None) => "the server that was named".to_owned(),
            (Some(_), Some(_)) => format!("{}; private", version()),
        };
        let postgres = store::pool(&url, 2)?;
        let made = Mutex::default();
        Ok(Self { postgres, whose, redis, about_redis, url, made, cluster, child, _folder: folder })
    }

    /// A new, migrated database: a pool, and its address.
    pub(crate) async fn database(&self) -> anyhow::Result<(PgPool, String)> {
        let name = format!("sortie_bench_{}", uuid::Uuid::now_v7().simple());
        let make = sqlx::AssertSqlSafe(format!("create database {name}"));
        sqlx::query(make).execute(&self.postgres).await.context("cannot make a database")?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        let url = with_database(&self.url, &name)?;
        let db = store::pool(&url, CONNECTIONS)?;
        store::migrate(&db).await?;
        Ok((db, url))
    }

    /// Drops all databases that were made.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut one = self.postgres.acquire().await?;
        // A large one takes longer than a player would wait.
        sqlx::query("set statement_timeout = 0").execute(&mut *one).await?;
        for name in made {
            let drop = sqlx::AssertSqlSafe(format!("drop database {name} with (force)"));
            sqlx::query(drop).execute(&mut *one).await?;
        }
        one.close().await?;
        Ok(())
    }

    /// Leaves nothing behind.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let cleared = self.clear().await;
        self.postgres.close().await;
        drop(self.child.take());
        match self.cluster.take() {
            Some(cluster) => cluster.stop(),
            None => cleared,
        }
    }
}

/// Short, for the sockets in it.
fn private_folder() -> anyhow::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("bench-control-").tempdir()?;
    // A root owner runs Postgres as another user, who has to come in.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// A Redis of one's own on a Unix socket; ends when it is dropped.
#[derive(Debug)]
struct RedisChild {
    child: Child,
    url: String,
}

impl RedisChild {
    /// `None`: it is not installed.
    fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        let socket = folder.join("redis.sock");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .args(["--dir", "/"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else { return Ok(None) };
        let mut redis = Self { child, url: format!("redis+unix://{}", socket.display()) };
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            if began.elapsed() > REDIS_TIMEOUT || redis.child.try_wait()?.is_some() {
                bail!("redis-server does not start; name one with --redis-url");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(redis))
    }
}

impl Drop for RedisChild {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn version() -> String {
    let output = Command::new("redis-server").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("?").to_owned()
}

/// The bus on a Redis, and the bus of one process without.
pub(crate) async fn bus(url: Option<&str>) -> anyhow::Result<sortie_control::bus::Bus> {
    match url {
        Some(url) => {
            // The same for all nodes.
            let seal = Seal::new(&AccessKeys::from_seed(&[7; 32]), &Clock::default());
            redis::connect(url, redis::PREFIX, seal).await
        }
        None => Ok(sortie_control::bus::Bus::local()),
    }
}
