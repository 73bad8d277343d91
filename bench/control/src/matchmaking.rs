//! Matchmaking: tickets matched a second with 10,000 waiting, and how long a ticket waits while
//! others keep coming.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sortie_control::plane::Plane;
use sortie_control::service;
use sortie_matchmaking::matcher::{self, Strength, Waiting};
use sortie_matchmaking::{Queue, Settings, Window};
use sqlx::PgPool;
use uuid::Uuid;

use crate::figure::{Figure, quantile_ms};

/// Three parts: planning alone, one node that empties a full queue, and a steady stream.
pub async fn run(db: &PgPool, quick: bool) -> anyhow::Result<Vec<Figure>> {
    let count = if quick { 400 } else { 10_000 };
    let mut figures = vec![plan(count)?];
    // The database does not shrink between parts; every part has players of its own.
    for (place, (name, team_max)) in
        [("teams of up to 32", 32), ("duels", 1)].into_iter().enumerate()
    {
        figures.extend(empty_a_queue(db, name, place, team_max, count).await?);
    }
    figures.extend(stream(db, if quick { 3 } else { 20 }, if quick { 50 } else { 500 }).await?);
    Ok(figures)
}

fn queue(name: &str, team_max: u32) -> Queue {
    Queue {
        name: name.to_owned(),
        team_min: 1,
        team_max,
        players_max: 2 * team_max,
        team_difference_max: 1,
        backfill_share: 0.0,
        window: Window { patience_s: 10, ..Window::default() },
        ..Queue::shipped().remove(0)
    }
}

/// The same spread of ratings as the tickets in the database.
fn plan(count: u32) -> anyhow::Result<Figure> {
    let waiting: Vec<Waiting> = (0..count)
        .map(|number| Waiting {
            ticket_id: Uuid::from_u128(number.into()),
            waited_s: f64::from(count - number) / f64::from(count) * 60.0,
            strength: Strength::of(
                1 + number % 2,
                25.0 + 8.0 * f64::from(number).sin(),
                1.0 + f64::from(number % 7),
            ),
        })
        .collect();
    let queue = queue("plan", 32);
    let mut times = Vec::new();
    let mut matched = 0;
    for _ in 0..20 {
        let began = Instant::now();
        let found = matcher::matches(&queue, &waiting);
        times.push(began.elapsed());
        matched = found.iter().map(|found| found.teams.iter().flatten().count()).sum();
    }
    ensure!(matched * 100 >= count as usize * 95, "only {matched} of {count} were planned");
    let guard = format!("{matched} of {count} tickets in matches; 20 runs");
    Ok(Figure::new("plan all matches, no database, p50", quantile_ms(&mut times, 0.5), "ms", guard))
}

/// Tickets of one or two players who have waited up to a minute.
async fn wait(db: &PgPool, queue: &str, count: u32, waited_s: i32) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    sqlx::query(
        "create temporary table new_ticket on commit drop as
         select gen_random_uuid() as ticket_id, 1 + n % 2 as size, 25 + 8 * sin(n) as rating,
            1 + n % 7 as deviation, clock_timestamp() - $2 * n / $1 * interval '1 s' as since
         from generate_series(1, $1) n",
    )
    .bind(count as i32)
    .bind(waited_s)
    .execute(&mut *tx)
    .await?;
    for statement in [
        "create temporary table new_player on commit drop as
         select gen_random_uuid() as player_id, ticket_id, rating, deviation
         from new_ticket, generate_series(1, size)",
        "insert into player (player_id, name)
         select player_id, 'P' || left(replace(player_id::text, '-', ''), 22) from new_player",
    ] {
        sqlx::query(statement).execute(&mut *tx).await?;
    }
    sqlx::query(
        "insert into ticket (ticket_id, queue, created_at, expires_at, rating, deviation, size)
         select ticket_id, $1, since, now() + interval '1 hour', rating, deviation, size
         from new_ticket",
    )
    .bind(queue)
    .execute(&mut *tx)
    .await?;
    for statement in [
        "insert into ticket_player (ticket_id, player_id, rating, deviation)
         select ticket_id, player_id, rating, deviation from new_player",
        "insert into ticket_open (player_id, ticket_id)
         select player_id, ticket_id from new_player",
    ] {
        sqlx::query(statement).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn empty_a_queue(
    db: &PgPool,
    what: &str,
    place: usize,
    team_max: u32,
    count: u32,
) -> anyhow::Result<Vec<Figure>> {
    let name = format!("bench-{place}");
    let settings = Settings { queues: vec![queue(&name, team_max)], ..Settings::default() };
    // Parties of two do not fit into duels.
    wait(db, &name, count, 60).await?;
    if team_max == 1 {
        sqlx::query("delete from ticket where queue = $1 and size > 1")
            .bind(&name)
            .execute(db)
            .await?;
    }
    let there = waiting(db, &name).await?;
    let began = Instant::now();
    let (mut matched, mut passes) = (0, 0);
    loop {
        let pass = matcher::pass(db, &settings, &settings.queues[0]).await?;
        passes += 1;
        matched += pass.matched as i64;
        if pass.matched == 0 || passes == 100 {
            break;
        }
    }
    let took = began.elapsed();
    ensure!(matched + waiting(db, &name).await? == there, "tickets were lost");
    ensure!(matched * 100 >= there * 95, "only {matched} of {there} were matched");
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from (
            select from battle_player group by player_id having count(*) > 1) twice",
    )
    .fetch_one(db)
    .await?;
    ensure!(twice == 0, "{twice} players are in two matches");
    let guard = format!("{matched} of {there} matched once, {passes} passes, nobody twice");
    let rate = matched as f64 / took.as_secs_f64();
    let last_ms = took.as_secs_f64() * 1e3;
    Ok(vec![
        Figure::new(&format!("tickets matched, {what}, one node"), rate, "tickets/s", &*guard),
        Figure::new(&format!("until the last is matched, {what}"), last_ms, "ms", guard),
    ])
}

async fn waiting(db: &PgPool, queue: &str) -> anyhow::Result<i64> {
    let count =
        sqlx::query_scalar("select count(*) from ticket where queue = $1 and state = 'waiting'")
            .bind(queue)
            .fetch_one(db)
            .await?;
    Ok(count)
}

/// Tickets keep coming while the matcher's job runs as in production.
async fn stream(db: &PgPool, seconds: u32, per_s: u32) -> anyhow::Result<Vec<Figure>> {
    const PARTS: u32 = 10;
    let name = "bench-stream";
    let settings = Settings { queues: vec![queue(name, 8)], ..Settings::default() };
    let (stopper, stop) = service::stop();
    let service = sortie_matchmaking::service(&Plane::local(db.clone()), settings, &stop);
    let jobs: Vec<_> = service.jobs.into_iter().map(|job| tokio::spawn(job.work)).collect();
    let mut clock = tokio::time::interval(Duration::from_secs(1) / PARTS);
    for _ in 0..seconds * PARTS {
        clock.tick().await;
        wait(db, name, per_s / PARTS, 0).await?;
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while waiting(db, name).await? > 1 && Instant::now() < deadline {
        clock.tick().await;
    }
    stopper.stop();
    for job in jobs {
        job.await?;
    }
    let row: (i64, Option<f64>, Option<f64>) = sqlx::query_as(
        "select count(*), percentile_cont(0.5) within group (order by waited_ms),
            percentile_cont(0.99) within group (order by waited_ms)
         from (
            select (extract(epoch from asked_at - created_at) * 1000)::float8 as waited_ms
            from ticket join battle using (battle_id) where queue = $1
         ) as waits",
    )
    .bind(name)
    .fetch_one(db)
    .await?;
    let (matched, p50, p99) = row;
    let all = i64::from(seconds * PARTS * (per_s / PARTS));
    ensure!(matched >= all - 1, "only {matched} of {all} were matched");
    let guard = format!("{matched} of {all} matched, {per_s} tickets/s coming, teams of up to 8");
    Ok(vec![
        Figure::new("time to match, p50", p50.unwrap_or_default(), "ms", &*guard),
        Figure::new("time to match, p99", p99.unwrap_or_default(), "ms", guard),
    ])
}
