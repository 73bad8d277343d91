//! Pages of a leaderboard with a million rows: from Postgres, from Redis, and from the memory of
//! one process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::Value;
use sortie_control::access::AccessKeys;
use sortie_control::app::AppState;
use sortie_control::bus::{Boards, BusError};
use sortie_control::page::Page;
use sortie_control::service;
use sortie_ranking::{Settings, service as ranking};
use sqlx::PgPool;
use uuid::Uuid;

use crate::figure::{Figures, quantile_ms};
use crate::fixture::Fixture;
use crate::seed::{self, MODE};
use crate::servers::bus;

/// Rows of a page.
const LIMIT: i64 = 50;

/// Pages beyond are walked to where there is no Redis.
const NEAR: i64 = 10_000;

/// Time for a set on the bus to be filled.
const FILL_TIMEOUT: Duration = Duration::from_secs(180);

/// Rank, score and id of a row, as cursors hold them.
type Anchor = (i64, i32, Uuid);

/// Makes the rows once, and reads pages at random depths.
pub(crate) async fn run(fixture: &Fixture, figures: &mut Figures) -> anyhow::Result<()> {
    let rows = fixture.size(1_000_000, 20_000);
    seed::board(fixture, rows).await?;
    let anchors = anchors(&fixture.db, rows).await?;
    let near = anchors.iter().filter(|anchor| anchor.0 <= NEAR).copied().collect();
    let local = "one process, ranks to 10,000";
    let mut readers = vec![Reader::new(fixture, None, local, rows, near).await?];
    if let Some(url) = &fixture.redis {
        let all = anchors.clone();
        readers
            .push(Reader::new(fixture, Some(url.as_str()), "Redis, all ranks", rows, all).await?);
    }
    for reader in &readers {
        let (which, filled) = (reader.which, reader.filled_s);
        let guard = format!("{rows} rows on it");
        figures.add(format!("the set is filled anew, {which}"), "s", filled, guard);
    }
    for repeat in 0..fixture.repeats {
        for reader in &readers {
            fixture.say(format_args!("pages from {}, run {repeat}", reader.which));
            reader.pages(fixture, figures).await?;
        }
    }
    let name = format!("rating/1/{MODE}");
    for reader in &readers {
        reader.app.bus.boards.clear(&name).await?;
    }
    // Past seasons are read from Postgres, by the same queries as when the bus is away.
    for statement in [
        "update season set ends_at = now() where ends_at is null",
        "insert into season (name, starts_at) values ('the next', now())",
    ] {
        sqlx::query(statement).execute(&fixture.db).await?;
    }
    let mut reader = readers.swap_remove(0);
    (reader.which, reader.from_bus, reader.anchors) = ("Postgres, all ranks", false, anchors);
    for repeat in 0..fixture.repeats {
        fixture.say(format_args!("pages from Postgres, run {repeat}"));
        reader.pages(fixture, figures).await?;
    }
    Ok(())
}

/// A thousand rows throughout the board, and more among the first.
async fn anchors(db: &PgPool, rows: i64) -> sqlx::Result<Vec<Anchor>> {
    let mut anchors: Vec<Anchor> = sqlx::query_as(
        "select rank, shown, player_id from (
            select row_number() over (order by shown desc, player_id) as rank, shown, player_id
            from rating where mode = $1 and season_id = 1) ranked
        where (rank % $2 = 0 or rank % 100 = 0 and rank <= $4) and rank + $5 <= $3",
    )
    .bind(MODE)
    .bind((rows / 1_000).max(1))
    .bind(rows)
    .bind(NEAR)
    .bind(LIMIT)
    .fetch_all(db)
    .await?;
    anchors.push((0, i32::MAX, Uuid::nil()));
    Ok(anchors)
}

/// A node that serves pages.
struct Reader {
    app: AppState,
    router: Router,
    ranges: Arc<AtomicU64>,
    which: &'static str,
    from_bus: bool,
    filled_s: f64,
    anchors: Vec<Anchor>,
}

impl Reader {
    /// Fills the set on the bus as the product does: on the first question for it.
    async fn new(
        fixture: &Fixture,
        redis: Option<&str>,
        which: &'static str,
        rows: i64,
        anchors: Vec<Anchor>,
    ) -> anyhow::Result<Self> {
        fixture.say(format_args!("filling the set: {which}"));
        let mut bus = bus(redis).await?;
        let name = format!("rating/1/{MODE}");
        let there = bus.boards.size(&name).await?;
        ensure!(there == 0, "this Redis has a leaderboard already: name one that nobody uses");
        let ranges = Arc::new(AtomicU64::new(0));
        bus.boards = Arc::new(Counted { boards: bus.boards, ranges: Arc::clone(&ranges) });
        let app = AppState::new(fixture.db.clone(), bus, AccessKeys::generate());
        let (_stopper, stop) = service::stop();
        let router = ranking(&app, Settings::default(), &stop).routes.split_for_parts().0;
        let (from_bus, filled_s) = (true, 0.0);
        let mut reader = Self { app, router, ranges, which, from_bus, filled_s, anchors };
        let began = Instant::now();
        reader.read(&path(&(0, i32::MAX, Uuid::nil()), false)?).await?;
        while reader.app.bus.boards.size(&name).await? < rows.unsigned_abs() {
            ensure!(began.elapsed() < FILL_TIMEOUT, "the set is not filled");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        reader.filled_s = began.elapsed().as_secs_f64();
        // The node believes in it a moment later.
        while reader.ranges.load(Ordering::SeqCst) == 0 {
            ensure!(began.elapsed() < FILL_TIMEOUT, "the set is not read");
            reader.read(&path(&(0, i32::MAX, Uuid::nil()), false)?).await?;
        }
        Ok(reader)
    }

    async fn pages(&self, fixture: &Fixture, figures: &mut Figures) -> anyhow::Result<()> {
        let count = fixture.size(1_000, 100);
        let before = self.ranges.load(Ordering::SeqCst);
        let mut times = Vec::with_capacity(count);
        for number in 0..count {
            let anchor = self.anchors[number * 7_919 % self.anchors.len()];
            let path = path(&anchor, !self.from_bus)?;
            let began = Instant::now();
            let page = self.read(&path).await?;
            times.push(began.elapsed());
            let items = page["items"].as_array().context("a page has items")?;
            let rank = anchor.0;
            let is_there = items.len() as i64 == LIMIT && items[0]["rank"] == rank + 1;
            ensure!(is_there, "a wrong page at {rank}: {} rows", items.len());
            if number % 100 == 0 {
                check(&fixture.db, rank, items).await?;
            }
        }
        let ranges = self.ranges.load(Ordering::SeqCst) - before;
        let wanted = if self.from_bus { count as u64 } else { 0 };
        ensure!(ranges == wanted, "{ranges} of {count} pages came from the bus");
        let guard = format!(
            "{count} pages of {LIMIT}, {wanted} from the bus, ranks right, every 100th as SQL \
             orders it"
        );
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let ms = quantile_ms(&mut times, share);
            figures.add(format!("a page, {name}, {}", self.which), "ms", ms, &*guard);
        }
        Ok(())
    }

    async fn read(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) =
            sortie_testing::call(&self.router, Method::GET, path, None, None).await;
        ensure!(status == StatusCode::OK, "{path}: {status} {body}");
        Ok(body)
    }
}

fn path(anchor: &Anchor, is_past: bool) -> anyhow::Result<String> {
    let page = Page::new(vec![*anchor, *anchor], 1, |key| *key);
    let cursor = page.next_cursor.context("two rows on a page of one")?;
    let season = if is_past { "season=1&" } else { "" };
    Ok(format!("/v1/leaderboards/{MODE}?{season}limit={LIMIT}&cursor={cursor}"))
}

/// Compares a page with what plain SQL says.
async fn check(db: &PgPool, rank: i64, items: &[Value]) -> anyhow::Result<()> {
    let expected: Vec<String> = sqlx::query_scalar(
        "select player_id::text from rating where mode = $1 and season_id = 1 and battles > 0
        order by shown desc, player_id offset $2 limit $3",
    )
    .bind(MODE)
    .bind(rank)
    .bind(LIMIT)
    .fetch_all(db)
    .await?;
    let same = items.iter().zip(&expected).all(|(item, id)| item["player_id"] == id.as_str());
    ensure!(same && items.len() == expected.len(), "the page at {rank} is not as SQL orders it");
    Ok(())
}

/// Boards that count how often they are read, so that a figure is of what it says.
struct Counted {
    boards: Arc<dyn Boards>,
    ranges: Arc<AtomicU64>,
}

#[async_trait]
impl Boards for Counted {
    async fn put(&self, board: &str, scores: &[(Uuid, i64)]) -> Result<(), BusError> {
        self.boards.put(board, scores).await
    }

    async fn remove(&self, board: &str, player: Uuid) -> Result<(), BusError> {
        self.boards.remove(board, player).await
    }

    async fn range(
        &self,
        board: &str,
        from: u64,
        count: u64,
    ) -> Result<Vec<(Uuid, i64)>, BusError> {
        let rows = self.boards.range(board, from, count).await?;
        self.ranges.fetch_add(1, Ordering::SeqCst);
        Ok(rows)
    }

    async fn place(&self, board: &str, player: Uuid) -> Result<Option<(u64, i64)>, BusError> {
        self.boards.place(board, player).await
    }

    async fn size(&self, board: &str) -> Result<u64, BusError> {
        self.boards.size(board).await
    }

    async fn clear(&self, board: &str) -> Result<(), BusError> {
        self.boards.clear(board).await
    }

    async fn mark(&self, board: &str) -> Result<Option<i64>, BusError> {
        self.boards.mark(board).await
    }

    async fn set_mark(&self, board: &str, mark: i64) -> Result<(), BusError> {
        self.boards.set_mark(board, mark).await
    }
}
