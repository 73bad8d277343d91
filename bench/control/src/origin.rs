//! Where figures come from: date, commit, machine, command, and how the database was set.

use std::fmt;
use std::fs;
use std::process::Command;

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;

/// What every published figure needs beside it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Origin {
    /// The day, in UTC.
    pub date: String,
    /// The commit, and whether the tree had changes.
    pub commit: String,
    /// Processors, and how busy they were before.
    pub machine: String,
    /// What prints the figures again.
    pub command: String,
    /// Version and what decides how fast it commits.
    pub postgres: String,
    /// Version, or why there is none.
    pub redis: String,
    /// Whether the program was optimised; figures of one that was not mean nothing.
    pub is_release: bool,
}

impl Origin {
    /// That of this run.
    pub(crate) async fn here(server: &PgPool, whose: &str, redis: String) -> sqlx::Result<Self> {
        let arguments = std::env::args().skip(1);
        // An address may hold a password.
        let shown = |text: String| if text.contains("://") { "URL".to_owned() } else { text };
        let mut command = "cargo run --release -p sortie-bench-control".to_owned();
        if arguments.len() > 0 {
            command += " --";
        }
        for argument in arguments {
            command += " ";
            command += &shown(argument);
        }
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            date: OffsetDateTime::now_utc().date().to_string(),
            commit: commit().unwrap_or_else(|| "unknown".to_owned()),
            machine: format!("{cores} × {}, load before: {load}", processor()),
            command,
            postgres: format!("{}; {whose}", postgres(server).await?),
            redis,
            is_release: !cfg!(debug_assertions),
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, commit, machine, command, postgres, redis, is_release } = self;
        let warning = if *is_release { "" } else { "\n- **not a release build: no figures**" };
        writeln!(
            f,
            "- date: {date}\n- commit: {commit}\n- machine: {machine}\n- command: `{command}`\n\
             - Postgres: {postgres}\n- Redis: {redis}{warning}"
        )
    }
}

async fn postgres(server: &PgPool) -> sqlx::Result<String> {
    let mut text: String = sqlx::query_scalar("show server_version").fetch_one(server).await?;
    for setting in ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers"] {
        let value: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(server)
            .await?;
        text += &format!(", {setting} {value}");
    }
    Ok(text)
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let is_clean = git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if is_clean { commit } else { format!("{commit} with changes") })
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.and_then(|rest| rest.split_once(": ")).map(|(_, name)| name.trim());
    name.unwrap_or("unknown processor").to_owned()
}
