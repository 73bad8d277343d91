//! `bench-control`: what the control plane costs, measured against a real Postgres.
//!
//! Each part is a module with an async `run` from a database, empty and migrated and its own, to
//! figures. `--quick` makes everything small: to see that
//! it works, not for figures.

mod account;
mod figure;
mod matchmaking;
mod ranking;

use std::future::Future;
use std::pin::Pin;

use anyhow::Context;
use clap::Parser;
use sqlx::PgPool;

use figure::Figure;

/// What the control plane costs, measured against a real Postgres.
#[derive(Parser)]
struct Args {
    /// Parts to measure [default: all]
    parts: Vec<String>,
    /// Server on which databases are made and dropped
    #[arg(long, value_name = "URL", env = "DATABASE_URL")]
    database_url: String,
    /// Make everything small: to see that it works, not for figures
    #[arg(long)]
    quick: bool,
    /// Print JSON, an object a figure
    #[arg(long)]
    json: bool,
}

type Run =
    for<'a> fn(&'a PgPool, bool) -> Pin<Box<dyn Future<Output = anyhow::Result<Vec<Figure>>> + 'a>>;

/// Every part by its name.
const PARTS: &[(&str, Run)] = &[
    ("account", |db, quick| Box::pin(account::run(db, quick))),
    ("matchmaking", |db, quick| Box::pin(matchmaking::run(db, quick))),
    ("ranking", |db, quick| Box::pin(ranking::run(db, quick))),
];

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = args.parts.iter().find(|part| !names.contains(&part.as_str())) {
        anyhow::bail!("there is no part '{unknown}'; there are: {}", names.join(", "));
    }
    for (name, run) in PARTS {
        if !args.parts.is_empty() && !args.parts.iter().any(|part| part == name) {
            continue;
        }
        eprintln!("{name} …");
        let figures = on_a_fresh_database(&args.database_url, *run, args.quick)
            .await
            .with_context(|| format!("part {name}"))?;
        for figure in figures {
            if args.json {
                println!("{}", serde_json::to_string(&figure)?);
            } else {
                println!("{name:<12} {figure}");
            }
        }
    }
    Ok(())
}

async fn on_a_fresh_database(url: &str, run: Run, quick: bool) -> anyhow::Result<Vec<Figure>> {
    let server = sortie_control::store::pool(url, 1)?;
    let name = format!("sortie_bench_{}", uuid::Uuid::now_v7().simple());
    let make = sqlx::AssertSqlSafe(format!("create database {name}"));
    sqlx::query(make).execute(&server).await.context("cannot make a database")?;
    let (address, _) = url.rsplit_once('/').context("the URL names no database")?;
    let db = sortie_control::store::pool(&format!("{address}/{name}"), 16)?;
    sortie_control::store::migrate(&db).await?;
    let figures = run(&db, quick).await;
    db.close().await;
    let drop = sqlx::AssertSqlSafe(format!("drop database {name} with (force)"));
    sqlx::query(drop).execute(&server).await?;
    figures
}
