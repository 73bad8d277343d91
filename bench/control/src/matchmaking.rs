//! Matchmaking: tickets matched a second with 10,000 waiting, and how long tickets wait until a
//! client could see their battle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use sortie_control::app::AppState;
use sortie_control::service;
use sortie_matchmaking::matcher::{self, Strength, Waiting};
use sortie_matchmaking::{Queue, Settings, Window};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::figure::{Figures, quantile_ms};
use crate::fixture::Fixture;

/// Between two looks of whoever waits for battles to be seen.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Three parts: planning alone, one node that empties a full queue, and a steady stream.
pub(crate) async fn run(fixture: &Fixture, figures: &mut Figures) -> anyhow::Result<()> {
    let count = fixture.size(10_000, 400);
    for repeat in 0..fixture.repeats {
        plan(count, figures)?;
        // The database does not shrink between runs; every queue has players of its own.
        for (what, team_max) in [("teams of 32", 32), ("duels", 1)] {
            let name = format!("bench-{team_max}-{repeat}");
            fixture.say(format_args!("{count} tickets wait for {what}, run {repeat}"));
            empty_a_queue(&fixture.db, &name, what, team_max, count, figures).await?;
        }
        let (seconds, per_s) = fixture.size((12, 500), (2, 50));
        fixture.say(format_args!("{per_s} tickets a second for {seconds} s, run {repeat}"));
        stream(&fixture.db, &format!("bench-stream-{repeat}"), seconds, per_s, figures).await?;
    }
    Ok(())
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
fn plan(count: u32, figures: &mut Figures) -> anyhow::Result<()> {
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
    let mut seated = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        let found = matcher::matches(&queue, &waiting);
        times.push(began.elapsed());
        seated = found.iter().flat_map(|found| found.teams.iter().flatten()).copied().collect();
    }
    let matched = seated.len();
    ensure!(matched * 100 >= count as usize * 95, "only {matched} of {count} were planned");
    seated.sort_unstable();
    seated.dedup();
    ensure!(seated.len() == matched, "a ticket was planned twice");
    let guard = format!("{matched} of {count} tickets in one match each");
    let what = format!("planning teams of 32 of {count} tickets, no database");
    figures.add(what, "ms", quantile_ms(&mut times, 0.5), guard);
    Ok(())
}

/// Tickets of parties of one to `party_max` players who have waited up to a minute.
async fn wait(
    db: &PgPool,
    queue: &str,
    count: u32,
    party_max: i32,
    waited_s: i32,
) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    sqlx::query(
        "create temporary table new_ticket on commit drop as
         select gen_random_uuid() as ticket_id, 1 + n % $3 as size, 25 + 8 * sin(n) as rating,
            1 + n % 7 as deviation, clock_timestamp() - $2 * n / $1 * interval '1 s' as since
         from generate_series(1, $1) n",
    )
    .bind(count as i32)
    .bind(waited_s)
    .bind(party_max)
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
    name: &str,
    what: &str,
    team_max: u32,
    count: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let settings = Settings { queues: vec![queue(name, team_max)], ..Settings::default() };
    // Parties of two do not fit into duels.
    let parties = if team_max == 1 { 1 } else { 2 };
    wait(db, name, count, parties, 60).await?;
    sqlx::query("analyze ticket, ticket_player, ticket_open").execute(db).await?;
    let there = waiting(db, name).await?;
    ensure!(there == i64::from(count), "{there} of {count} wait");
    let watch = Watch::start(db, name);
    let began = OffsetDateTime::now_utc();
    let clock = Instant::now();
    let (mut matched, mut took) = (0, Duration::ZERO);
    for _ in 0..100 {
        let pass = matcher::pass(db, &settings, &settings.queues[0]).await?;
        if pass.matched == 0 {
            break;
        }
        matched += pass.matched as i64;
        took = clock.elapsed();
    }
    let seen = watch.stop().await?;
    let mut waits = seen.waits(db, name, Some(began)).await?;
    ensure!(matched + waiting(db, name).await? == there, "tickets were lost");
    ensure!(waits.len() as i64 == matched, "{} of {matched} were seen", waits.len());
    ensure!(matched * 100 >= there * 95, "only {matched} of {there} were matched");
    nobody_twice(db).await?;
    let guard = format!("{matched} of {there} tickets in one match each, no player in two");
    let rate = matched as f64 / took.as_secs_f64();
    let about = format!("{count} waiting, {what}, one node");
    figures.add(format!("tickets matched, {about}"), "1/s", rate, &*guard);
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let ms = quantile_ms(&mut waits, share);
        figures.add(
            format!("until a ticket's battle is there, {name}, {about}"),
            "ms",
            ms,
            &*guard,
        );
    }
    Ok(())
}

async fn nobody_twice(db: &PgPool) -> anyhow::Result<()> {
    // The key of battle_player allows a player twice, in two battles.
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from (
            select from battle_player group by player_id having count(*) > 1) twice",
    )
    .fetch_one(db)
    .await?;
    ensure!(twice == 0, "{twice} players are in two matches");
    Ok(())
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
async fn stream(
    db: &PgPool,
    name: &str,
    seconds: u32,
    per_s: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    const PARTS: u32 = 10;
    let settings = Settings { queues: vec![queue(name, 8)], ..Settings::default() };
    let (stopper, stop) = service::stop();
    let service = sortie_matchmaking::service(&AppState::local(db.clone()), settings, &stop);
    let jobs: Vec<_> = service.jobs.into_iter().map(|job| tokio::spawn(job.work)).collect();
    let watch = Watch::start(db, name);
    let mut clock = tokio::time::interval(Duration::from_secs(1) / PARTS);
    for _ in 0..seconds * PARTS {
        clock.tick().await;
        wait(db, name, per_s / PARTS, 2, 0).await?;
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while waiting(db, name).await? > 1 && Instant::now() < deadline {
        clock.tick().await;
    }
    stopper.stop();
    for job in jobs {
        job.await?;
    }
    let seen = watch.stop().await?;
    let mut waits = seen.waits(db, name, None).await?;
    let all = (seconds * PARTS * (per_s / PARTS)) as usize;
    ensure!(waits.len() + 1 >= all, "only {} of {all} were matched", waits.len());
    nobody_twice(db).await?;
    let guard = format!("{} of {all} tickets in one match each", waits.len());
    let about = format!("{per_s} tickets a second coming, teams of 8");
    for (which, share) in [("p50", 0.5), ("p99", 0.99)] {
        let ms = quantile_ms(&mut waits, share);
        figures.add(format!("from ticket to battle, {which}, {about}"), "ms", ms, &*guard);
    }
    Ok(())
}

/// Sees battles of a queue as soon as anybody can: when they are committed.
struct Watch {
    ends: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<sqlx::Result<Seen>>,
}

/// Battles, and when they were seen.
struct Seen(Vec<(Uuid, OffsetDateTime)>);

impl Watch {
    fn start(db: &PgPool, queue: &str) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(watch(db.clone(), queue.to_owned(), Arc::clone(&ends)));
        Self { ends, task }
    }

    async fn stop(self) -> anyhow::Result<Seen> {
        self.ends.store(true, Ordering::SeqCst);
        Ok(self.task.await??)
    }
}

async fn watch(db: PgPool, queue: String, ends: Arc<AtomicBool>) -> sqlx::Result<Seen> {
    let (mut seen, mut last) = (Vec::new(), Uuid::nil());
    loop {
        let is_last = ends.load(Ordering::SeqCst);
        // One node makes all of them, so their ids are in the order of their commits.
        let new: Vec<Uuid> = sqlx::query_scalar(
            "select battle_id from queue_battle where queue = $1 and battle_id > $2
            order by battle_id",
        )
        .bind(&queue)
        .bind(last)
        .fetch_all(&db)
        .await?;
        let now = OffsetDateTime::now_utc();
        last = new.last().copied().unwrap_or(last);
        seen.extend(new.into_iter().map(|battle| (battle, now)));
        if is_last {
            return Ok(Seen(seen));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Seen {
    /// How long each matched ticket waited, since it was made or since `since`.
    async fn waits(
        &self,
        db: &PgPool,
        queue: &str,
        since: Option<OffsetDateTime>,
    ) -> anyhow::Result<Vec<Duration>> {
        let tickets: Vec<(Uuid, OffsetDateTime)> = sqlx::query_as(
            "select battle_id, created_at from ticket where queue = $1 and state = 'matched'",
        )
        .bind(queue)
        .fetch_all(db)
        .await?;
        let at = |battle: Uuid| {
            let found = self.0.binary_search_by_key(&battle, |(battle, _)| *battle);
            found.ok().map(|at| self.0[at].1)
        };
        let waits = tickets.into_iter().filter_map(|(battle, created_at)| {
            let wait = at(battle)? - since.unwrap_or(created_at);
            Some(wait.try_into().unwrap_or_default())
        });
        Ok(waits.collect())
    }
}
