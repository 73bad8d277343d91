//! Ranking: results of battles of 100 players a second, and pages of a leaderboard with a million
//! rows, from the bus and from Postgres.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::Value;
use sortie_control::plane::Plane;
use sortie_control::{service, testing};
use sortie_ranking::report::{BattleResult, Outcome, store};
use sortie_ranking::{Settings, service as ranking};
use sortie_rpc::ranking::v1 as rpc;
use sqlx::PgPool;
use uuid::Uuid;

use crate::figure::{Figure, quantile_ms};

/// Two parts: results, then a leaderboard.
pub async fn run(db: &PgPool, quick: bool) -> anyhow::Result<Vec<Figure>> {
    let mut figures = results(db, if quick { 20 } else { 1_000 }).await?;
    figures.extend(leaderboard(db, if quick { 20_000 } else { 1_000_000 }, quick).await?);
    Ok(figures)
}

const PLAYERS: usize = 100;
const POOL: i64 = 2_000;
const REPORTERS: usize = 4;

/// Battles of 100 out of 2,000 players, so that parallel ones overlap.
async fn results(db: &PgPool, battles: usize) -> anyhow::Result<Vec<Figure>> {
    let players: Vec<Uuid> = sqlx::query_scalar(
        "insert into player (player_id, name)
        select gen_random_uuid(), 'fighter ' || n from generate_series(1, $1) n
        returning player_id",
    )
    .bind(POOL)
    .fetch_all(db)
    .await?;
    let server: Uuid = sqlx::query_scalar(
        "insert into battle_server (server_id, name, address, fingerprint, version,
            protocol_version, battles_max, players_max, state, lease_until)
        values (gen_random_uuid(), 'bench', 'localhost:1', decode(repeat('00', 32), 'hex'), '0',
            1, 64, 1000, 'ready', now() + interval '1 day') returning server_id",
    )
    .fetch_one(db)
    .await?;
    let open: Vec<Uuid> = sqlx::query_scalar(
        "insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id,
            server_epoch, started_at)
        select gen_random_uuid(), 'conquest', 'plain', true, 100, 'running', $1, 1, now()
        from generate_series(1, $2) returning battle_id",
    )
    .bind(server)
    .bind(battles as i64)
    .fetch_all(db)
    .await?;
    let reports =
        open.iter().enumerate().map(|(number, battle)| report(server, *battle, number, &players));
    let reports = reports.map(BattleResult::try_from).collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    let mut reporters = tokio::task::JoinSet::new();
    for chunk in reports.chunks(battles.div_ceil(REPORTERS)) {
        let (db, chunk) = (db.clone(), chunk.to_vec());
        reporters.spawn(async move {
            let mut times = Vec::with_capacity(chunk.len());
            for result in &chunk {
                let began = Instant::now();
                let outcome = store(&db, &Settings::default(), result).await?;
                ensure!(matches!(outcome, Outcome::Stored(_)), "{outcome:?}");
                times.push(began.elapsed());
            }
            Ok(times)
        });
    }
    let mut times: Vec<Duration> = Vec::new();
    while let Some(reporter) = reporters.join_next().await {
        times.extend(reporter??);
    }
    let lasted_s = began.elapsed().as_secs_f64();
    let rows: i64 = sqlx::query_scalar("select count(*) from rating_change where is_ranked")
        .fetch_one(db)
        .await?;
    let broken: i64 = sqlx::query_scalar(
        "select count(*) from (select rating_before, lag(rating_after, 1, 25.0::float8)
            over (partition by player_id order by change_id) as last from rating_change) link
        where rating_before <> last",
    )
    .fetch_one(db)
    .await?;
    ensure!(rows == (battles * PLAYERS) as i64 && broken == 0, "{rows} rows, {broken} broken");
    let guard = format!("{rows} rating changes, ledger without a gap; {REPORTERS} reporters");
    let rate = battles as f64 / lasted_s;
    Ok(vec![
        Figure::new("results of 100 players", rate, "1/s", guard.clone()),
        Figure::new("a result of 100 players, p50", quantile_ms(&mut times, 0.5), "ms", &guard),
        Figure::new("a result of 100 players, p99", quantile_ms(&mut times, 0.99), "ms", &guard),
    ])
}

fn report(server: Uuid, battle: Uuid, number: usize, all: &[Uuid]) -> rpc::ReportRequest {
    let weapon =
        |name: &str| rpc::WeaponResult { weapon: name.to_owned(), shots: 40, hits: 9, kills: 1 };
    // 37 and 2,000 have no common factor: nobody comes twice.
    let player = |at: usize| rpc::PlayerResult {
        player_id: all[(number * 613 + at * 37) % all.len()].to_string(),
        team: (at % 2) as u32,
        points: 300,
        kills: 3,
        shots: 120,
        hits: 27,
        weapons: ["rifle", "pistol", "grenade"].map(weapon).to_vec(),
        ..rpc::PlayerResult::default()
    };
    let event = |tick: u32| {
        let body = format!("{{\"killer\":{tick},\"victim\":{number},\"weapon\":\"rifle\"}}");
        rpc::LogEvent { tick, kind: "kill".to_owned(), body }
    };
    rpc::ReportRequest {
        server_id: server.to_string(),
        epoch: 1,
        battle_id: battle.to_string(),
        last_tick: 36_000,
        tick_hz: 60,
        state_hash: "0123456789abcdef".to_owned(),
        winner: [None, Some(0), Some(1)][number % 3],
        ended_by: "round".to_owned(),
        players: (0..PLAYERS).map(player).collect(),
        events: (0..300).map(event).collect(),
        replay: Some(rpc::Replay { place: "bench.journal".to_owned(), bytes: 1 }),
    }
}

const PAGES: usize = 1_000;

/// Pages of 50 at random depths: by cursor from Postgres, and from the bus of one process.
async fn leaderboard(db: &PgPool, rows: i64, quick: bool) -> anyhow::Result<Vec<Figure>> {
    let chunk = 20_000;
    for from in (0..rows).step_by(chunk as usize) {
        sqlx::query(
            "with new as (insert into player (player_id, name)
                select gen_random_uuid(), 'climber ' || n from generate_series($1 + 1, $2) n
                returning player_id)
            insert into rating (player_id, season_id, mode, rating, uncertainty, shown, battles,
                played_at, changed_at)
            select player_id, 1, 'deathmatch', 25, 3, 1000 + random() * 2000, 5, now(),
                now() - interval '1 day'
            from new",
        )
        .bind(from as i32)
        .bind((from + chunk).min(rows) as i32)
        .execute(db)
        .await?;
    }
    let mut own = db.acquire().await?;
    for statement in ["set statement_timeout = 0", "vacuum analyze rating", "vacuum analyze player"]
    {
        sqlx::query(statement).execute(&mut *own).await?;
    }
    // Back to the five seconds that everybody has.
    own.close().await?;
    // Rank, score and id of rows throughout the board, as cursors hold them.
    let anchors: Vec<(i64, i32, Uuid)> = sqlx::query_as(
        "select rank, shown, player_id from (
            select row_number() over (order by shown desc, player_id) as rank, shown, player_id
            from rating where mode = 'deathmatch') ranked
        where rank % $1 = 0 and rank + 50 <= $2",
    )
    .bind((rows / PAGES as i64).max(1))
    .bind(rows)
    .fetch_all(db)
    .await?;
    let plane = Plane::local(db.clone());
    let (stopper, stop) = service::stop();
    let router: Router = ranking(&plane, Settings::default(), &stop).routes.split_for_parts().0;
    let mut figures = Vec::new();
    let about = format!("{rows} rows");
    let began = Instant::now();
    call(&router, "/v1/leaderboards/deathmatch").await?;
    while plane.bus.boards.size("rating/1/deathmatch").await? < rows as u64 {
        ensure!(began.elapsed() < Duration::from_secs(300), "the board is not filled");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let filled = began.elapsed().as_secs_f64();
    figures.push(Figure::new("leaderboard filled anew", filled, "s", about.clone()));
    // The node sees it complete a moment later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // In one process a deep range is walked to; Redis jumps there. So the first 10,000 ranks.
    let near = |anchor: &&(i64, i32, Uuid)| anchor.0 <= 10_000 || quick;
    let mut near: Vec<_> = anchors.iter().filter(near).copied().collect();
    near.push((0, i32::MAX, Uuid::nil()));
    let which = "one process's bus, top 10,000";
    figures.extend(pages(which, &router, "", db, &near, &about).await?);
    let began = Instant::now();
    sortie_ranking::open_season(&plane, "Season 2").await?;
    let opened = began.elapsed().as_secs_f64();
    figures.push(Figure::new("a season opened, ratings carried over", opened, "s", &about));
    // Past seasons are read from Postgres, by the same queries as while the bus is away.
    figures.extend(pages("Postgres", &router, "season=1&", db, &anchors, &about).await?);
    drop(stopper);
    Ok(figures)
}

async fn pages(
    which: &str,
    router: &Router,
    season: &str,
    db: &PgPool,
    anchors: &[(i64, i32, Uuid)],
    about: &str,
) -> anyhow::Result<Vec<Figure>> {
    let mut times = Vec::with_capacity(PAGES);
    for number in 0..PAGES {
        let (rank, shown, player) = anchors[number * 7_919 % anchors.len()];
        let cursor = cursor(&(rank, shown, player))?;
        let path = format!("/v1/leaderboards/deathmatch?{season}limit=50&cursor={cursor}");
        let began = Instant::now();
        let page = call(router, &path).await?;
        times.push(began.elapsed());
        let items = page["items"].as_array().context("a page has items")?;
        ensure!(items.len() == 50 && items[0]["rank"] == rank + 1, "a wrong page at {rank}");
        if number % 100 == 0 {
            let expected: Vec<String> = sqlx::query_scalar(
                "select player_id::text from rating where mode = 'deathmatch' and season_id = 1
                order by shown desc, player_id offset $1 limit 50",
            )
            .bind(rank)
            .fetch_all(db)
            .await?;
            let same =
                items.iter().zip(&expected).all(|(item, id)| item["player_id"] == id.as_str());
            ensure!(same, "the page at {rank} is not as SQL orders it");
        }
    }
    let guard = format!("{about}; {PAGES} pages, every 100th compared with SQL");
    Ok([0.5, 0.99]
        .map(|share| {
            let what = format!("page of 50, {which}, p{}", share * 100.0);
            Figure::new(&what, quantile_ms(&mut times, share), "ms", guard.clone())
        })
        .to_vec())
}

fn cursor(key: &(i64, i32, Uuid)) -> anyhow::Result<String> {
    let page = sortie_control::page::Page::new(vec![*key, *key], 1, |key| *key);
    page.next_cursor.context("two rows on a page of one")
}

async fn call(router: &Router, path: &str) -> anyhow::Result<Value> {
    let (status, body) = testing::call(router, Method::GET, path, None, None).await;
    ensure!(status == StatusCode::OK, "{path}: {status} {body}");
    Ok(body)
}
