//! `bench-control`: what the control plane costs, measured against a real Postgres and Redis.
//!
//! Each part is a module with an async `run` on a [`Fixture`], which has an empty and migrated
//! database of its own. A part adds [`Figures`], one value a repetition, each with a guard that
//! says that the measured work was right; a part whose guard fails does not count. `--quick` makes
//! everything small: to see that it works, not for figures.

mod account;
mod chat;
mod figure;
mod fixture;
mod leaderboard;
mod matchmaking;
mod origin;
mod results;
mod seed;
mod servers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use futures_util::future::LocalBoxFuture;
use serde::Serialize;

use figure::{Figure, Figures, table};
use fixture::Fixture;
use origin::Origin;
use servers::Servers;

const ABOUT: &str = "\
What the control plane costs, measured against a real Postgres and Redis.

Prints a Markdown table of medians and spread over the repetitions, and beside each figure the
check that the measured work was right. Progress goes to stderr. Exit code 1: a part failed, and
none of its figures counts.";

const HELP: &str = "\
Parts:
  logins       logins a second with argon2id at the product's cost; refreshes
  tokens       access tokens verified a second
  matchmaking  tickets matched a second with 10,000 waiting, and the time to match
  results      battle results stored a second, with 64 and with 128 players
  leaderboard  pages of a leaderboard with a million rows: Postgres, Redis, one process
  chat         chat messages fanned out to 1,000 WebSockets, on one node and on two with Redis

Servers: with no --database-url, a private Postgres is started as `sortie-control up` starts it
(from the machine's binaries, with its default settings) and removed at the end; likewise Redis, if
there is a redis-server in PATH. Databases that this program makes on a named server begin with
sortie_bench_ and are dropped at the end. A named Redis should be used by nobody else.

Examples:
  bench-control                              everything, three times
  bench-control --quick                      does it work? (the figures mean nothing)
  bench-control --only chat --repeats 5
  bench-control --json control.json > control.md";

/// The arguments.
#[derive(Parser)]
#[command(name = "bench-control", about = ABOUT, after_help = HELP)]
struct Args {
    /// Parts to measure [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = names())]
    only: Vec<String>,
    /// How often everything is measured [default: 3, quick: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    repeats: Option<u8>,
    /// Make everything small: to see that it works, not for figures
    #[arg(long)]
    quick: bool,
    /// Write figures, with every single value, and where they come from
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Postgres server on which databases are made and dropped [default: a private one]
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Redis that nobody else uses [default: a private one, if it is installed]
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// Start private servers whatever DATABASE_URL and REDIS_URL say
    #[arg(long)]
    private: bool,
}

type Run = for<'a> fn(&'a Fixture, &'a mut Figures) -> LocalBoxFuture<'a, anyhow::Result<()>>;

/// Every part by its name.
const PARTS: &[(&str, Run)] = &[
    ("logins", |fixture, figures| Box::pin(account::logins(fixture, figures))),
    ("tokens", |fixture, figures| Box::pin(account::tokens(fixture, figures))),
    ("matchmaking", |fixture, figures| Box::pin(matchmaking::run(fixture, figures))),
    ("results", |fixture, figures| Box::pin(results::run(fixture, figures))),
    ("leaderboard", |fixture, figures| Box::pin(leaderboard::run(fixture, figures))),
    ("chat", |fixture, figures| Box::pin(chat::run(fixture, figures))),
];

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(PARTS.iter().map(|(name, _)| *name))
}

#[derive(Serialize)]
struct Report {
    origin: Origin,
    repeats: usize,
    is_quick: bool,
    figures: Vec<Figure>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything counts.
fn run(args: &Args) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (database, redis) = (args.database_url.as_deref(), args.redis_url.as_deref());
        let named = |url| if args.private { None } else { url };
        let servers = Servers::start(named(database), named(redis)).await?;
        let done = tokio::select! {
            done = measure(args, &servers) => done,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let stopped = servers.stop().await;
        let is_good = done?;
        stopped.context("something was left behind")?;
        Ok(is_good)
    })
}

async fn measure(args: &Args, servers: &Servers) -> anyhow::Result<bool> {
    let began = Instant::now();
    let repeats = args.repeats.map_or(if args.quick { 1 } else { 3 }, usize::from);
    let about_redis = servers.about_redis.clone();
    let origin = Origin::here(&servers.postgres, &servers.whose, about_redis).await?;
    let mut report = Report { origin, repeats, is_quick: args.quick, figures: Vec::new() };
    for &(part, run) in PARTS {
        if !args.only.is_empty() && !args.only.iter().any(|name| name == part) {
            continue;
        }
        let (db, url) = servers.database().await?;
        let (redis, quick) = (servers.redis.clone(), args.quick);
        let fixture = Fixture { db, url, redis, repeats, quick, part, began };
        fixture.say("begins");
        let mut figures = Figures::new(part);
        if let Err(error) = run(&fixture, &mut figures).await {
            fixture.say(format_args!("failed: {error:#}"));
            figures.fail(&format!("{error:#}"));
        }
        fixture.db.close().await;
        servers.clear().await?;
        report.figures.extend(figures.into_rows());
        // What is there so far is kept: a later part may not come to its end.
        if let Some(path) = &args.json {
            let text = serde_json::to_string_pretty(&report)?;
            let cannot = || format!("cannot write {}", path.display());
            std::fs::write(path, text + "\n").with_context(cannot)?;
        }
    }
    println!("{}\n{}", report.origin, table(&report.figures));
    eprintln!("{:>7.1} s  done", began.elapsed().as_secs_f64());
    Ok(report.figures.iter().all(|figure| figure.counts))
}
