//! Results of battles stored a second: each is one transaction with sums, events, ratings,
//! statistics and outbox rows of all its players.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sortie_ranking::Settings;
use sortie_ranking::report::{BattleResult, Outcome, store};
use sortie_rpc::ranking::v1 as rpc;
use sqlx::PgPool;
use uuid::Uuid;

use crate::figure::{Figures, quantile_ms};
use crate::fixture::Fixture;

/// Players who fight; far more than fight in one battle, and few enough that parallel ones meet.
const POOL: i64 = 2_000;

/// Battle servers that report at the same time.
const REPORTERS: usize = 4;

/// Results with 64 and with 128 players.
pub(crate) async fn run(fixture: &Fixture, figures: &mut Figures) -> anyhow::Result<()> {
    let db = &fixture.db;
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
    // Everybody has rows already, as after the first weeks of a season.
    let warm = Round { server, players: &players, size: 100, first: 0 };
    store_all(db, warm.reports(&open(db, server, 60, 100).await?)?).await?;
    let mut first = 60;
    for repeat in 0..fixture.repeats {
        for (size, battles) in [(64, fixture.size(300, 8)), (128, fixture.size(200, 8))] {
            fixture.say(format_args!("{battles} results of {size} players, run {repeat}"));
            let round = Round { server, players: &players, size, first };
            round.measure(db, battles, figures).await?;
            first += battles;
        }
    }
    Ok(())
}

async fn open(db: &PgPool, server: Uuid, count: usize, size: usize) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id,
            server_epoch, started_at, given_at)
        select gen_random_uuid(), 'conquest', 'plain', true, $3, 'running', $1, 1, ago, ago
        from (select now() - interval '1 hour' as ago) as past, generate_series(1, $2)
        returning battle_id",
    )
    .bind(server)
    .bind(count as i64)
    .bind(size as i32)
    .fetch_all(db)
    .await
}

/// Battles of the same size.
struct Round<'a> {
    server: Uuid,
    players: &'a [Uuid],
    size: usize,
    /// Number of the first battle; who fights in it goes by that.
    first: usize,
}

impl Round<'_> {
    async fn measure(
        &self,
        db: &PgPool,
        battles: usize,
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        let size = self.size;
        let ids = open(db, self.server, battles, size).await?;
        let reports = self.reports(&ids)?;
        seat(db, &reports).await?;
        let began = Instant::now();
        let mut times = store_all(db, reports.clone()).await?;
        let rate = battles as f64 / began.elapsed().as_secs_f64();
        self.check(db, &ids, reports).await?;
        let guard = format!(
            "{} rating changes = {battles} × {size}, each begins where the last ended; stored \
             again they change nothing; {REPORTERS} reporters",
            battles * size
        );
        figures.add(format!("results of {size} players stored"), "1/s", rate, &*guard);
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let ms = quantile_ms(&mut times, share);
            figures.add(format!("a result of {size} players, {name}"), "ms", ms, &*guard);
        }
        Ok(())
    }

    async fn check(
        &self,
        db: &PgPool,
        ids: &[Uuid],
        reports: Vec<BattleResult>,
    ) -> anyhow::Result<()> {
        let wanted = (ids.len() * self.size) as i64;
        let rows = rows(db, ids).await?;
        ensure!(rows == wanted, "{rows} rating changes for {wanted} players");
        let broken: i64 = sqlx::query_scalar(
            "select count(*) from (select rating_before, lag(rating_after, 1, 25.0::float8)
                over (partition by player_id order by change_id) as last from rating_change) link
            where rating_before <> last",
        )
        .fetch_one(db)
        .await?;
        ensure!(broken == 0, "{broken} ratings begin elsewhere than the last ended");
        for result in reports.iter().take(10) {
            let outcome = store(db, &Settings::default(), result).await?;
            ensure!(matches!(outcome, Outcome::Known { .. }), "a second time: {outcome:?}");
        }
        ensure!(self::rows(db, ids).await? == rows, "a second time changed ratings");
        Ok(())
    }

    fn reports(&self, ids: &[Uuid]) -> anyhow::Result<Vec<BattleResult>> {
        let reports = ids.iter().zip(self.first..).map(|(battle, number)| {
            BattleResult::try_from(self.report(*battle, number)).map_err(anyhow::Error::from)
        });
        reports.collect()
    }

    fn report(&self, battle: Uuid, number: usize) -> rpc::ReportRequest {
        let Self { server, players, size, .. } = *self;
        let weapon = |name: &str| rpc::WeaponResult {
            weapon: name.to_owned(),
            shots: 40,
            hits: 9,
            kills: 1,
        };
        // 37 and 2,000 have no common factor: nobody comes twice.
        let player = |at: usize| rpc::PlayerResult {
            player_id: players[(number * 613 + at * 37) % players.len()].to_string(),
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
            players: (0..size).map(player).collect(),
            events: (0..3 * size as u32).map(event).collect(),
            replay: Some(rpc::Replay { place: "bench.journal".to_owned(), bytes: 1 }),
        }
    }
}

/// Everybody who is reported has a seat and a join ticket, as matchmaking and joining see to.
async fn seat(db: &PgPool, reports: &[BattleResult]) -> sqlx::Result<()> {
    for report in reports {
        let players = report.players.iter().map(|player| (player.player_id, player.team));
        let (players, teams): (Vec<Uuid>, Vec<i16>) = players.unzip();
        sqlx::query(
            "insert into battle_player (battle_id, player_id, team, joined_at)
            select $1, player_id, team, now()
            from unnest($2::uuid[], $3::smallint[]) as player (player_id, team)",
        )
        .bind(report.battle_id)
        .bind(players)
        .bind(teams)
        .execute(db)
        .await?;
    }
    Ok(())
}

async fn rows(db: &PgPool, battles: &[Uuid]) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from rating_change where is_ranked and battle_id = any($1)")
        .bind(battles)
        .fetch_one(db)
        .await
}

/// Gives how long each took.
async fn store_all(db: &PgPool, reports: Vec<BattleResult>) -> anyhow::Result<Vec<Duration>> {
    let mut reporters = tokio::task::JoinSet::new();
    for chunk in reports.chunks(reports.len().div_ceil(REPORTERS).max(1)) {
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
    Ok(times)
}
