//! Postgres: the pool with the limits that it needs, and the schema that this program was built
//! for.

use std::collections::BTreeMap;
use std::sync::Once;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use crate::text::look;

/// The migrations that this program was built with.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// How long a call waits for a connection before it is refused with 503.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);

/// What every session is set to, at its start.
const SESSION: [(&str, &str); 3] = [
    ("statement_timeout", "5s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "5s"),
];

/// A pool for a URL like `postgres://user@host/database`.
///
/// Every statement, lock and idle transaction has five seconds; nothing that a player waits for
/// may take longer. Never wrap `begin()` in a timeout or a select: a cancelled one leaves an open
/// transaction behind (sqlx issues 4385 and 4393). Connections are made when they are needed, so
/// that a database that is away at the start is away for its callers only.
///
/// A connection is given out only if its session has the settings that were asked for, which a
/// pooler in between may drop. One whose database takes no writes any more, because another one
/// was made the primary, is closed before it is used again: the next one is made where the URL
/// leads then.
///
/// # Errors
/// The URL cannot be read.
pub fn pool(url: &str, connections_max: u32) -> anyhow::Result<PgPool> {
    let options: PgConnectOptions = url.parse().context("the database URL cannot be read")?;
    let options = options.application_name("sortie").options(SESSION);
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(Duration::from_secs(1_800))
        // Asking finds dead connections as well.
        .test_before_acquire(false)
        .before_acquire(|db, _| Box::pin(takes_writes(db)))
        .after_connect(|db, _| Box::pin(prepare(db)));
    Ok(pool.connect_lazy_with(options))
}

/// A new connection: what it has to be, and what it is told.
async fn prepare(db: &mut PgConnection) -> sqlx::Result<()> {
    require_session(db).await?;
    keep_details_out_of_logs(db).await
}

async fn takes_writes(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("select current_setting('transaction_read_only') = 'off'")
        .fetch_one(db)
        .await
}

/// A pooler stands between us and Postgres that will not do.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "{0}: a pooler in between that will not do; use Postgres itself, or a pooler in session mode \
    that passes startup options on"
)]
pub struct PoolerError(String);

/// `None`: the session has all settings.
async fn lacking(db: &mut PgConnection) -> sqlx::Result<Option<PoolerError>> {
    for (name, asked) in SESSION {
        let query = sqlx::query_scalar("select current_setting($1)").bind(name);
        let set: String = query.fetch_one(&mut *db).await?;
        if set != asked {
            return Ok(Some(PoolerError(format!("{name} is {set} in a new session, not {asked}"))));
        }
    }
    Ok(None)
}

async fn require_session(db: &mut PgConnection) -> sqlx::Result<()> {
    match lacking(db).await? {
        Some(pooler) => Err(sqlx::Error::Configuration(Box::new(pooler))),
        None => Ok(()),
    }
}

/// Writes something, as calls will have to.
///
/// # Errors
/// Why it cannot be written: the database is away, takes no writes, or a pooler is in between
/// that will not do.
pub async fn require_writable(db: &PgPool) -> anyhow::Result<()> {
    let probe = "update write_probe set at = clock_timestamp()";
    let error = match sqlx::query(probe).execute(db).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    if code_of(&error).as_deref() == Some(READ_ONLY) {
        bail!("the database takes no writes: it is a standby, or set to read only");
    }
    // The pool does not say why it has no connection.
    require_direct(db).await?;
    Err(error).context("the database cannot be written to")
}

/// Looks at a connection of its own, beside the pool.
///
/// # Errors
/// The database is away, or (a [`PoolerError`]) a pooler is in between that will not do.
pub async fn require_direct(db: &PgPool) -> anyhow::Result<()> {
    let mut direct = PgConnection::connect_with(&db.connect_options()).await.map_err(|error| {
        // What PgBouncer says of startup options, unless it is told to drop them.
        if code_of(&error).as_deref() == Some(PROTOCOL) {
            anyhow::Error::new(PoolerError(error.to_string()))
        } else {
            anyhow::Error::new(error).context("the database does not let us in")
        }
    })?;
    let lacking = lacking(&mut direct).await;
    drop(direct.close().await);
    match lacking? {
        Some(pooler) => Err(pooler.into()),
        None => Ok(()),
    }
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// SQLSTATE of a write where only reading is possible.
pub const READ_ONLY: &str = "25006";

/// SQLSTATE of a startup that was not understood.
const PROTOCOL: &str = "08P01";

/// What a statement breaks is told by Postgres with the row's own words, as `Key
/// (email_key)=(ada@example.org) already exists`: to us, who need it, and to its log, where nobody
/// erases it. Its log goes without where we may say so.
async fn keep_details_out_of_logs(db: &mut PgConnection) -> sqlx::Result<()> {
    static WARNED: Once = Once::new();
    metrics::counter!("sortie_database_connects_total").increment(1);
    let verbosity: String = sqlx::query_scalar(
        "select case when has_parameter_privilege('log_error_verbosity', 'SET')
             then set_config('log_error_verbosity', 'terse', false)
             else current_setting('log_error_verbosity') end",
    )
    .fetch_one(db)
    .await?;
    if verbosity != "terse" {
        WARNED.call_once(|| {
            tracing::warn!(
                "Postgres may write names and addresses of players into its log: set \
                 log_error_verbosity = terse there, or grant set on parameter log_error_verbosity"
            );
        });
    }
    Ok(())
}

/// Shows how a pool fares, and how long its database takes to answer; for a job to repeat.
///
/// # Errors
/// No connection is there in time, or the database does not answer.
pub async fn show(db: &PgPool) -> sqlx::Result<()> {
    let idle = db.num_idle() as f64;
    let connections = |state| metrics::gauge!("sortie_database_connections", "state" => state);
    connections("idle").set(idle);
    connections("used").set(f64::from(db.size()) - idle);
    metrics::gauge!("sortie_database_connections_max")
        .set(f64::from(db.options().get_max_connections()));
    let began = Instant::now();
    let mut connection = db.acquire().await?;
    metrics::histogram!("sortie_database_acquire_seconds").record(began.elapsed().as_secs_f64());
    let asked = Instant::now();
    sqlx::query("select 1").execute(&mut *connection).await?;
    metrics::histogram!("sortie_database_answer_seconds").record(asked.elapsed().as_secs_f64());
    Ok(())
}

/// Where a database's schema stands, beside the migrations of this program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// Applied and equal, by version.
    pub applied: Vec<i64>,
    /// Known to this program and not applied.
    pub pending: Vec<i64>,
    /// Applied, but not as this program knows them, or unknown to it.
    pub diverged: Vec<i64>,
}

/// Compares a database with this program's migrations.
///
/// # Errors
/// The database is away.
pub async fn schema_state(db: &PgPool) -> sqlx::Result<SchemaState> {
    let table: Option<String> =
        sqlx::query_scalar("select to_regclass('_sqlx_migrations')::text").fetch_one(db).await?;
    let mut applied = BTreeMap::new();
    if table.is_some() {
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("select version, checksum from _sqlx_migrations where success")
                .fetch_all(db)
                .await?;
        applied.extend(rows);
    }
    let mut state = SchemaState::default();
    for migration in MIGRATOR.iter() {
        match applied.remove(&migration.version) {
            None => state.pending.push(migration.version),
            Some(checksum) if checksum == *migration.checksum => {
                state.applied.push(migration.version);
            }
            Some(_) => state.diverged.push(migration.version),
        }
    }
    state.diverged.extend(applied.into_keys());
    Ok(state)
}

/// Applies what is pending.
///
/// # Errors
/// The database is away, its schema has diverged, or a migration fails.
pub async fn migrate(db: &PgPool) -> anyhow::Result<SchemaState> {
    refuse_diverged(&schema_state(db).await?)?;
    MIGRATOR.run(db).await.context("a migration failed; the database is as before it")?;
    let alike = look::fill(db).await.context("names cannot be compared; run it again")?;
    if alike > 0 {
        tracing::warn!(
            names = alike,
            "names look like an older player's: they are in the table name_look, and stay until \
             they are changed"
        );
    }
    Ok(schema_state(db).await?)
}

/// Refuses to work on a schema that this program was not built for.
///
/// # Errors
/// Which migrations are missing or have diverged, and what to do.
pub async fn require_current(db: &PgPool) -> anyhow::Result<()> {
    let state = schema_state(db).await.context("cannot read the schema of the database")?;
    refuse_diverged(&state)?;
    if !state.pending.is_empty() {
        bail!("the database lacks migrations {:?}; run `sortie-control migrate up`", state.pending);
    }
    Ok(())
}

fn refuse_diverged(state: &SchemaState) -> anyhow::Result<()> {
    if state.diverged.is_empty() {
        return Ok(());
    }
    bail!(
        "the schema has diverged: migrations {:?} are applied otherwise than this program knows \
         them; use the version of sortie that made this database, or another database",
        state.diverged
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[sqlx::test(migrations = false)]
    async fn an_empty_database_is_brought_up_to_date(db: PgPool) {
        let before = schema_state(&db).await.unwrap();
        assert!(before.applied.is_empty() && !before.pending.is_empty());
        let error = require_current(&db).await.unwrap_err().to_string();
        assert!(error.contains("sortie-control migrate up"), "{error}");
        let after = migrate(&db).await.unwrap();
        assert_eq!((after.applied, after.pending), (before.pending, Vec::new()));
        require_current(&db).await.unwrap();
    }

    /// Our statements break constraints now and then, and Postgres quotes the row.
    #[tokio::test]
    async fn what_players_wrote_is_not_in_postgres_log() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let cluster = sortie_private_postgres::PrivateCluster::start(dir.path()).await.unwrap();
        let db = pool(&cluster.url(), 1).unwrap();
        sqlx::query("create table t (email text unique, name text check (name <> ''))")
            .execute(&db)
            .await
            .unwrap();
        let insert = async |db: &PgPool, email: &str, name: &str| {
            let insert = sqlx::query("insert into t values ($1, $2)").bind(email).bind(name);
            insert.execute(db).await.map(drop)
        };
        insert(&db, "canary@example.org", "Canary").await.unwrap();
        let error = insert(&db, "canary@example.org", "Canary").await.unwrap_err();
        assert!(error.as_database_error().unwrap().is_unique_violation(), "we are told");
        insert(&db, "canary-too@example.org", "").await.unwrap_err();
        // As it would be without: the test can see what it looks for.
        let loud = PgPool::connect(&cluster.url()).await.unwrap();
        insert(&loud, "plain@example.org", "Plain").await.unwrap();
        insert(&loud, "plain@example.org", "Plain").await.unwrap_err();
        drop((db, loud, cluster));
        let log = std::fs::read_to_string(dir.path().join("postgres.log")).unwrap();
        assert!(log.contains("Key (email)=(plain@example.org)"), "{log}");
        assert!(log.contains("duplicate key"), "{log}");
        assert!(!log.to_lowercase().contains("canary"), "{log}");
    }

    #[sqlx::test(migrator = "MIGRATOR")]
    async fn a_diverged_schema_is_refused(db: PgPool) {
        sqlx::query("update _sqlx_migrations set checksum = '\\x00' where version = 2")
            .execute(&db)
            .await
            .unwrap();
        let error = require_current(&db).await.unwrap_err().to_string();
        assert!(error.contains("diverged") && error.contains("[2]"), "{error}");
        assert!(migrate(&db).await.is_err());
    }
}
