//! Leaderboards are right within 5 s whatever became of the sets on the bus: as they were before,
//! without their marks, emptied, or taking no writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::http::{Method, StatusCode};
use sortie_control::app::AppState;
use sortie_control::bus::local::LocalBoards;
use sortie_control::bus::{Boards, BusError};
use sortie_control::service::{Stopper, stop};
use sortie_ranking::{Settings, service};
use sortie_testing::call;
use sqlx::PgPool;
use uuid::Uuid;

const WITHIN: Duration = Duration::from_secs(5);
const BOARDS: [&str; 2] = ["conquest", "global"];
const ROWS: u64 = 1_000;

/// Sets that can be told to take no writes, as a Redis that is full or a replica.
#[derive(Default)]
struct Fickle {
    boards: LocalBoards,
    is_read_only: AtomicBool,
}

impl Fickle {
    fn writes(&self) -> Result<&LocalBoards, BusError> {
        let is_read_only = self.is_read_only.load(Ordering::SeqCst);
        if is_read_only { Err(BusError("READONLY".to_owned())) } else { Ok(&self.boards) }
    }
}

#[async_trait]
impl Boards for Fickle {
    async fn put(&self, board: &str, scores: &[(Uuid, i64)]) -> Result<(), BusError> {
        self.writes()?.put(board, scores).await
    }
    async fn remove(&self, board: &str, player: Uuid) -> Result<(), BusError> {
        self.writes()?.remove(board, player).await
    }
    async fn range(&self, board: &str, at: u64, count: u64) -> Result<Vec<(Uuid, i64)>, BusError> {
        self.boards.range(board, at, count).await
    }
    async fn place(&self, board: &str, player: Uuid) -> Result<Option<(u64, i64)>, BusError> {
        self.boards.place(board, player).await
    }
    async fn size(&self, board: &str) -> Result<u64, BusError> {
        self.boards.size(board).await
    }
    async fn clear(&self, board: &str) -> Result<(), BusError> {
        self.writes()?.clear(board).await
    }
    async fn mark(&self, board: &str) -> Result<Option<i64>, BusError> {
        self.boards.mark(board).await
    }
    async fn set_mark(&self, board: &str, mark: i64) -> Result<(), BusError> {
        self.writes()?.set_mark(board, mark).await
    }
}

/// A node that follows Postgres, with players on all boards.
struct Site {
    db: PgPool,
    sets: Arc<Fickle>,
    router: Router,
    reader: String,
    _stopper: Stopper,
}

/// What is kept of a set: rows and mark.
type Saved = (Vec<(Uuid, i64)>, Option<i64>);

impl Site {
    async fn new(db: PgPool) -> Self {
        for number in 0..8 {
            let player = sortie_testing::player(&db, &format!("Player {number}")).await;
            let rating = "insert into rating
                (player_id, season_id, mode, rating, uncertainty, shown, battles)
                values ($1, 1, 'conquest', 25, 8, $2, 1)";
            sqlx::query(rating).bind(player).bind(1_000 + number).execute(&db).await.unwrap();
        }
        let mut app = AppState::local(db.clone());
        let sets = Arc::new(Fickle::default());
        app.bus.boards = Arc::clone(&sets) as Arc<dyn Boards>;
        let (stopper, asked) = stop();
        // As shipped: how often a node follows is part of what is promised.
        let service = service(&app, Settings::default(), &asked);
        for job in service.jobs {
            tokio::spawn(job.work);
        }
        let router = service.routes.split_for_parts().0;
        let reader = sortie_testing::player(&db, "Reader").await;
        let reader = sortie_testing::token(&app, reader);
        let site = Self { db, sets, router, reader, _stopper: stopper };
        for board in BOARDS {
            let filled = async || site.sets.size(&name(board)).await.unwrap() == 8;
            site.eventually("the set is filled", filled).await;
        }
        site
    }

    /// Everybody has another score than before, in another order.
    async fn change(&self) {
        let change = "update rating set shown = 4000 - shown + (random() * 500)::integer,
            changed_at = now() where battles > 0";
        sqlx::query(change).execute(&self.db).await.unwrap();
    }

    async fn is_right(&self, board: &str) -> bool {
        let path = format!("/v1/leaderboards/{board}?limit=100");
        let (status, page) = call(&self.router, Method::GET, &path, Some(&self.reader), None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let shown: Vec<(String, i64)> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                (row["player_id"].as_str().unwrap().to_owned(), row["shown"].as_i64().unwrap())
            })
            .collect();
        let truth: Vec<(String, i64)> = sqlx::query_as(
            "select player_id::text, shown::int8 from rating where battles > 0
             order by shown desc, player_id",
        )
        .fetch_all(&self.db)
        .await
        .unwrap();
        shown == truth
    }

    async fn are_right(&self) -> bool {
        for board in BOARDS {
            if !self.is_right(board).await {
                return false;
            }
        }
        true
    }

    async fn set_is_right(&self, board: &str) -> bool {
        let truth: Vec<(Uuid, i64)> = sqlx::query_as(
            "select player_id, shown::int8 from rating where battles > 0
             order by shown desc, player_id",
        )
        .fetch_all(&self.db)
        .await
        .unwrap();
        self.sets.range(&name(board), 0, ROWS).await.unwrap() == truth
    }

    async fn eventually(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(began.elapsed() < WITHIN, "not within {WITHIN:?}: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn save(&self) -> Vec<Saved> {
        let mut saved = Vec::new();
        for board in BOARDS {
            let rows = self.sets.range(&name(board), 0, ROWS).await.unwrap();
            saved.push((rows, self.sets.mark(&name(board)).await.unwrap()));
        }
        saved
    }

    async fn restore(&self, saved: &[Saved]) {
        for (board, (rows, mark)) in BOARDS.iter().zip(saved) {
            self.sets.boards.clear(&name(board)).await.unwrap();
            self.sets.boards.put(&name(board), rows).await.unwrap();
            if let Some(mark) = mark {
                self.sets.boards.set_mark(&name(board), *mark).await.unwrap();
            }
        }
    }
}

fn name(board: &str) -> String {
    format!("rating/1/{board}")
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_set_that_comes_back_as_it_was_is_not_believed(db: PgPool) {
    let site = Site::new(db).await;
    let old = site.save().await;
    // Long ago: no node looks at what changed at that time of its own accord.
    site.change().await;
    let long_ago = "update rating set changed_at = now() - interval '2 hours'";
    sqlx::query(long_ago).execute(&site.db).await.unwrap();
    for board in BOARDS {
        site.eventually("the set follows", async || site.set_is_right(board).await).await;
    }
    site.restore(&old).await;
    site.eventually("boards are right", async || site.are_right().await).await;
    for board in BOARDS {
        site.eventually("the set is made anew", async || site.set_is_right(board).await).await;
    }
    assert!(site.are_right().await, "and stay so");
    // Of a program that knew no marks.
    let unmarked: Vec<Saved> = old.iter().map(|(rows, _)| (rows.clone(), None)).collect();
    site.restore(&unmarked).await;
    site.eventually("boards are right without marks", async || site.are_right().await).await;
    for board in BOARDS {
        site.eventually("the set is filled", async || site.set_is_right(board).await).await;
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_set_that_takes_no_writes_is_not_read_once_it_is_behind(db: PgPool) {
    let site = Site::new(db).await;
    site.eventually("boards are right", async || site.are_right().await).await;
    site.sets.is_read_only.store(true, Ordering::SeqCst);
    site.change().await;
    site.eventually("boards are right without writes", async || site.are_right().await).await;
    for board in BOARDS {
        assert!(!site.set_is_right(board).await, "nobody could write");
    }
    site.sets.is_read_only.store(false, Ordering::SeqCst);
    for board in BOARDS {
        site.eventually("the set follows again", async || site.set_is_right(board).await).await;
    }
    assert!(site.are_right().await);
}
