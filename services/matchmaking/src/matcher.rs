//! The matcher: a job on every node that makes matches of those who wait.
//!
//! Two locks make it safe on many nodes at once. A match takes its tickets with `for update skip
//! locked` and only while they wait, so no ticket is in two matches, whoever plans. And a node
//! plans for a queue only while it holds the queue's advisory lock: not for safety, but because
//! one node that sees everybody makes better matches than four that each see a quarter, and
//! because planning the same matches twice is work for nothing. Nodes that find a queue taken go
//! on to the next. Both locks end with their transaction, so a node that dies holds none.

mod backfill;
mod line;
mod plan;
mod store;
mod teams;

use std::sync::Arc;
use std::time::Instant;

use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;
use sqlx::PgPool;

pub use plan::{Match, Waiting, matches};
pub use teams::{TeamLimits, Teams, deal};

pub use crate::rating::Strength;

pub(crate) use store::begin;

use crate::error::MatchmakingError;
use crate::settings::{Queue, Settings};

/// What one pass over a queue did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Tickets that got a place in a running battle.
    pub backfilled: usize,
    /// Matches that were made.
    pub matches: usize,
    /// Tickets in those.
    pub matched: usize,
    /// Whether another node had the queue, so that nothing was done.
    pub is_busy: bool,
}

/// Looks at all queues again and again until the stop.
pub(crate) async fn run(db: PgPool, settings: Arc<Settings>, stop: Stop) {
    let (period, failing) = (settings.pace.matcher_period, "the matcher cannot work");
    let mut rounds = Rounds::new("matcher", period, failing, stop).later();
    while rounds.next().await {
        let mut done = Ok(());
        for queue in &settings.queues {
            // One queue that cannot be looked at does not keep the others from it.
            done = done.and(pass(&db, &settings, queue).await.map(drop));
        }
        rounds.ended(done);
    }
}

/// One look at a queue: running battles are filled, then new matches are made.
///
/// # Errors
/// The database failed; what was committed stays, the rest waits for the next pass.
pub async fn pass(
    db: &PgPool,
    settings: &Settings,
    queue: &Queue,
) -> Result<Pass, MatchmakingError> {
    work(db, settings, queue, true).await
}

/// As [`pass`], without the lock of the queue: tests show with it that the locks of the rows
/// alone keep every ticket out of a second match.
///
/// # Errors
/// As [`pass`].
pub async fn pass_unlocked(
    db: &PgPool,
    settings: &Settings,
    queue: &Queue,
) -> Result<Pass, MatchmakingError> {
    work(db, settings, queue, false).await
}

async fn work(
    db: &PgPool,
    settings: &Settings,
    queue: &Queue,
    alone: bool,
) -> Result<Pass, MatchmakingError> {
    let began = Instant::now();
    let mut done = Pass::default();
    let now = settings.now(db).await?;
    let mut tx = db.begin().await?;
    if alone && !store::lock_queue(&mut tx, queue).await? {
        return Ok(Pass { is_busy: true, ..done });
    }
    done.backfilled = backfill::fill(&mut tx, settings, queue, now).await?;
    let waiting = store::waiting(&mut tx, settings, queue, now).await?;
    gauge(queue, &waiting);
    let planned = plan(queue, &waiting).await;
    let mut parts = planned.chunks(settings.pace.matches_max.max(1));
    let first = parts.next().unwrap_or_default();
    store::make(&mut tx, queue, &waiting, first, now, &mut done).await?;
    tx.commit().await?;
    for part in parts {
        let mut tx = db.begin().await?;
        // Another node goes on, with a newer view.
        if alone && !store::lock_queue(&mut tx, queue).await? {
            break;
        }
        store::make(&mut tx, queue, &waiting, part, now, &mut done).await?;
        tx.commit().await?;
    }
    metrics::histogram!("sortie_matchmaking_pass_seconds", "queue" => queue.name.clone())
        .record(began.elapsed().as_secs_f64());
    metrics::counter!("sortie_matchmaking_matches_total", "queue" => queue.name.clone())
        .increment(done.matches as u64);
    Ok(done)
}

fn gauge(queue: &Queue, waiting: &[Waiting]) {
    let players: u32 = waiting.iter().map(|ticket| ticket.strength.players).sum();
    metrics::gauge!("sortie_matchmaking_waiting_players", "queue" => queue.name.clone())
        .set(f64::from(players));
}

/// Ten thousand tickets take some milliseconds, which belong on a thread that may block.
async fn plan(queue: &Queue, waiting: &[Waiting]) -> Vec<Match> {
    const AT_ONCE: usize = 256;
    if waiting.len() <= AT_ONCE {
        return matches(queue, waiting);
    }
    let (queue, waiting) = (queue.clone(), waiting.to_vec());
    let planning = tokio::task::spawn_blocking(move || matches(&queue, &waiting));
    match planning.await {
        Ok(planned) => planned,
        Err(error) => {
            tracing::error!(%error, "planning matches failed");
            Vec::new()
        }
    }
}
