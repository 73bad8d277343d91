//! Leaderboards are what Postgres says, wherever they are read from.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::{Fixture, Random};
use async_trait::async_trait;
use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::Value;
use sortie_control::app::AppState;
use sortie_control::bus::{Boards, BusError};
use sortie_control::service::{Stop, stop};
use sortie_ranking::{Settings, service};
use sortie_rpc::game::GameMode;
use sortie_testing::{call, token};
use sqlx::PgPool;
use uuid::Uuid;

struct Site {
    fixture: Fixture,
    app: AppState,
    router: Router,
}

impl Site {
    async fn new(db: PgPool) -> Self {
        let fixture = Fixture::new(db.clone()).await;
        Self::on(fixture, AppState::local(db))
    }

    fn on(fixture: Fixture, app: AppState) -> Self {
        let (_, stop) = stop();
        Self { fixture, router: router(&app, &stop), app }
    }

    /// The board as SQL orders it.
    async fn expected(&self, mode: &str) -> Vec<(Uuid, i64)> {
        sqlx::query_as(
            "select player_id, max(shown)::int8 as best from rating
            where (mode = $1 or $1 = 'global') and battles > 0
                and season_id = (select max(season_id) from season)
            group by player_id order by best desc, player_id",
        )
        .bind(mode)
        .fetch_all(&self.fixture.db)
        .await
        .unwrap()
    }

    /// The board as its pages give it; ranks are checked.
    async fn pages(&self, mode: &str, limit: usize) -> Vec<(Uuid, i64)> {
        let mut all = Vec::new();
        let mut path = format!("/v1/leaderboards/{mode}?limit={limit}");
        loop {
            let page = self.get(&path, None).await;
            for row in page["items"].as_array().unwrap() {
                all.push((id(row), row["shown"].as_i64().unwrap()));
                assert_eq!(row["rank"], all.len());
                assert!(row["name"].as_str().is_some_and(|name| !name.is_empty()));
                assert!(row["battles"].as_i64().unwrap() > 0);
            }
            let Some(cursor) = page["next_cursor"].as_str() else { return all };
            path = format!("/v1/leaderboards/{mode}?limit={limit}&cursor={cursor}");
        }
    }

    async fn get(&self, path: &str, player: Option<Uuid>) -> Value {
        let token = player.map(|player| token(&self.app, player));
        let (status, body) = call(&self.router, Method::GET, path, token.as_deref(), None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// Waits until a set on the bus has as many rows as Postgres.
    async fn filled(&self, mode: &str) {
        let name = self.name(mode).await;
        let expected = self.expected(mode).await.len() as u64;
        let started = Instant::now();
        while self.app.bus.boards.size(&name).await.unwrap() != expected {
            assert!(started.elapsed() < Duration::from_secs(20), "{name} is not filled");
            tokio::task::yield_now().await;
        }
    }

    async fn name(&self, mode: &str) -> String {
        let season = self.fixture.count("select max(season_id)::int8 from season").await;
        format!("rating/{season}/{mode}")
    }

    async fn fight(&self, random: &mut Random, players: &[Uuid]) {
        let mode = GameMode::ALL[random.below(3)].name();
        let battle = self.fixture.battle_of(mode, true).await;
        let count = 4 + random.below(players.len() - 3);
        let mut report = self.fixture.report(battle, &random.choose(players, count));
        report.winner = [None, Some(0), Some(1)][random.below(3)];
        self.fixture.store(report).await;
    }
}

fn router(app: &AppState, stop: &Stop) -> Router {
    service(app, Settings::default(), stop).routes.split_for_parts().0
}

fn id(row: &Value) -> Uuid {
    row["player_id"].as_str().unwrap().parse().unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_result_is_on_the_board_as_soon_as_the_outbox_tells_of_it(db: PgPool) {
    let site = Site::new(db).await;
    let (stopper, asked) = stop();
    // Two nodes hear of it; neither follows Postgres in this test.
    for _ in 0..2 {
        let jobs = service(&site.app, Settings::default(), &asked).jobs;
        for job in jobs.into_iter().filter(|job| job.name != "leaderboards") {
            tokio::spawn(job.work);
        }
    }
    let players = site.fixture.players(6).await;
    let battle = site.fixture.battle().await;
    site.fixture.store(site.fixture.report(battle, &players)).await;
    site.filled("conquest").await;
    site.filled("global").await;
    let started = Instant::now();
    while site.fixture.count("select count(*) from inbox where source = 'leaderboards'").await != 1
    {
        assert!(started.elapsed() < Duration::from_secs(20), "the event is not remembered");
        tokio::task::yield_now().await;
    }
    stopper.stop();
}

const BOARDS: [&str; 4] = ["conquest", "deathmatch", "walk", "global"];

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn boards_are_as_sql_orders_them_also_when_the_bus_is_emptied(db: PgPool) {
    let site = Site::new(db).await;
    let mut random = Random::new();
    let players = site.fixture.players(40).await;
    // Equal scores: the order of ids decides.
    sqlx::query(
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown, battles)
        select player_id, 1, 'conquest', 25, 5, 1400, 1 from player",
    )
    .execute(&site.fixture.db)
    .await
    .unwrap();
    for round in 0..12 {
        site.fight(&mut random, &players).await;
        for mode in BOARDS {
            if random.below(3) == 0 {
                site.app.bus.boards.clear(&site.name(mode).await).await.unwrap();
            }
            let limit = 1 + random.below(17);
            // Nobody puts scores on the bus in this test: what is not cleared may be stale, so
            // the set is emptied, and read while it is being filled, and after that.
            site.app.bus.boards.clear(&site.name(mode).await).await.unwrap();
            let expected = site.expected(mode).await;
            assert_eq!(site.pages(mode, limit).await, expected, "round {round}, {mode}");
            site.filled(mode).await;
            assert_eq!(site.pages(mode, limit).await, expected, "round {round}, {mode}");
        }
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_job_brings_what_a_node_did_not_live_to_put(db: PgPool) {
    let site = Site::new(db).await;
    let (stopper, stop) = stop();
    let settings = Settings { boards_period: Duration::from_millis(20), ..Settings::default() };
    let service = service(&site.app, settings, &stop);
    let jobs: Vec<_> = service.jobs.into_iter().map(|job| tokio::spawn(job.work)).collect();
    let mut random = Random::new();
    let players = site.fixture.players(12).await;
    for _ in 0..5 {
        site.fight(&mut random, &players).await;
        for mode in BOARDS {
            let (name, expected) = (site.name(mode).await, site.expected(mode).await);
            let started = Instant::now();
            while site.app.bus.boards.range(&name, 0, 100).await.unwrap() != expected {
                assert!(started.elapsed() < Duration::from_secs(20), "{name} does not follow");
                tokio::task::yield_now().await;
            }
            assert_eq!(site.pages(mode, 5).await, expected);
        }
    }
    stopper.stop();
    for job in jobs {
        job.await.unwrap();
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn everybody_finds_the_neighbours(db: PgPool) {
    let site = Site::new(db).await;
    let mut random = Random::new();
    let players = site.fixture.players(30).await;
    for _ in 0..6 {
        site.fight(&mut random, &players).await;
    }
    for _ in 0..2 {
        for mode in BOARDS {
            let expected = site.expected(mode).await;
            for (at, (player, _)) in expected.iter().enumerate() {
                let path = format!("/v1/leaderboards/{mode}/around-me?around=3");
                let around = site.get(&path, Some(*player)).await;
                let rows = around["items"].as_array().unwrap();
                let found: Vec<Uuid> = rows.iter().map(id).collect();
                let (from, to) = (at.saturating_sub(3), (at + 4).min(expected.len()));
                let ids: Vec<Uuid> = expected[from..to].iter().map(|row| row.0).collect();
                assert_eq!(found, ids);
                assert_eq!(
                    (&around["rank"], &rows[0]["rank"]),
                    (&(at + 1).into(), &(from + 1).into())
                );
            }
            // First from Postgres, now from the bus.
            site.filled(mode).await;
        }
    }
    let stranger = site.fixture.players(1).await[0];
    let path = "/v1/leaderboards/global/around-me";
    let token = token(&site.app, stranger);
    let (status, body) = call(&site.router, Method::GET, path, Some(&token), None).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::NOT_FOUND, &"ranking.not_ranked".into())
    );
}

struct Away;

fn away<T>() -> Result<T, BusError> {
    Err(BusError("stopped".to_owned()))
}

#[async_trait]
impl Boards for Away {
    async fn put(&self, _: &str, _: &[(Uuid, i64)]) -> Result<(), BusError> {
        away()
    }
    async fn remove(&self, _: &str, _: Uuid) -> Result<(), BusError> {
        away()
    }
    async fn range(&self, _: &str, _: u64, _: u64) -> Result<Vec<(Uuid, i64)>, BusError> {
        away()
    }
    async fn place(&self, _: &str, _: Uuid) -> Result<Option<(u64, i64)>, BusError> {
        away()
    }
    async fn size(&self, _: &str) -> Result<u64, BusError> {
        away()
    }
    async fn clear(&self, _: &str) -> Result<(), BusError> {
        away()
    }
    async fn mark(&self, _: &str) -> Result<Option<i64>, BusError> {
        away()
    }
    async fn set_mark(&self, _: &str, _: i64) -> Result<(), BusError> {
        away()
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn without_the_bus_postgres_answers(db: PgPool) {
    let fixture = Fixture::new(db.clone()).await;
    let mut app = AppState::local(db);
    app.bus.boards = Arc::new(Away);
    let site = Site::on(fixture, app);
    let players = site.fixture.players(10).await;
    site.fight(&mut Random::new(), &players).await;
    for mode in BOARDS {
        assert_eq!(site.pages(mode, 3).await, site.expected(mode).await);
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn past_seasons_stay_readable(db: PgPool) {
    let site = Site::new(db).await;
    let players = site.fixture.players(8).await;
    let battle = site.fixture.battle().await;
    site.fixture.store(site.fixture.report(battle, &players)).await;
    let first = site.pages("conquest", 10).await;
    assert_eq!(first.len(), 8);
    site.filled("conquest").await;
    let old_board = site.name("conquest").await;
    sortie_ranking::open_season(&site.app, "Season 2").await.unwrap();
    assert_eq!(site.app.bus.boards.size(&old_board).await.unwrap(), 0);
    assert!(site.pages("conquest", 10).await.is_empty(), "nobody has fought yet");
    let past = site.get("/v1/leaderboards/conquest?season=1", None).await;
    let past: Vec<Uuid> = past["items"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(past, first.iter().map(|row| row.0).collect::<Vec<_>>());
}
