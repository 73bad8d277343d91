//! Leaderboards from the bus, and from Postgres while the bus is away or not complete.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgPool;
use uuid::Uuid;

use sortie_control::app::AppState;
use sortie_control::bus::BusError;
use sortie_control::listening::DeafError;

use super::{After, Board, Row, store};

/// Rows that are put at once when a set is filled.
const FILLED_AT_ONCE: i64 = 1_000;

/// What a node knows of sets on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Someone compares or fills it.
    Filling,
    /// It has all rows, and all changes.
    Complete(Seen),
}

/// What a set has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    rows: u64,
    mark: i64,
}

/// All leaderboards, as one node sees them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Boards {
    app: AppState,
    states: Arc<Mutex<HashMap<Board, State>>>,
}

/// Why a set was not filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

impl From<FillError> for DeafError {
    fn from(error: FillError) -> Self {
        match error {
            FillError::Bus(error) => Self::Bus(error),
            FillError::Database(error) => Self::Database(error),
        }
    }
}

impl Boards {
    pub(crate) fn new(app: &AppState) -> Self {
        Self { app: app.clone(), states: Arc::default() }
    }

    pub(crate) fn db(&self) -> &PgPool {
        &self.app.db
    }

    pub(crate) fn app(&self) -> &AppState {
        &self.app
    }

    /// Up to `count` rows after one. On the bus a page continues at the rank, in Postgres at the
    /// score; they differ while scores change.
    pub(crate) async fn page(
        &self,
        board: Board,
        after: After,
        count: i64,
    ) -> sqlx::Result<Vec<Row>> {
        if self.is_current(board).await? && self.is_complete(board).await {
            let (name, boards) = (board.name(), &self.app.bus.boards);
            let range = boards.range(&name, after.rank.unsigned_abs(), count.unsigned_abs());
            if let Ok(rows) = range.await {
                count_read("bus");
                return Ok(rows_from(rows, after.rank));
            }
        }
        count_read("store");
        store::page(&self.app.db, board, after, count).await
    }

    /// A player's row with up to `before` and `after` rows around it; empty: the player has none.
    pub(crate) async fn around(
        &self,
        board: Board,
        player_id: Uuid,
        before: i64,
        after: i64,
    ) -> sqlx::Result<Vec<Row>> {
        if self.is_current(board).await?
            && self.is_complete(board).await
            && let Some(rows) = self.around_on_bus(board, player_id, before, after).await
        {
            count_read("bus");
            return Ok(rows);
        }
        count_read("store");
        store::around(&self.app.db, board, player_id, before, after).await
    }

    /// `None`: the bus is away, or the player not on it yet.
    async fn around_on_bus(
        &self,
        board: Board,
        player_id: Uuid,
        before: i64,
        after: i64,
    ) -> Option<Vec<Row>> {
        let (name, boards) = (board.name(), &self.app.bus.boards);
        let (place, _) = boards.place(&name, player_id).await.ok()??;
        let from = place.saturating_sub(before.unsigned_abs());
        let count = place - from + 1 + after.unsigned_abs();
        let rows = boards.range(&name, from, count).await.ok()?;
        // It may have moved between the two questions.
        let rows = rows_from(rows, i64::try_from(from).ok()?);
        rows.iter().any(|row| row.player_id == player_id).then_some(rows)
    }

    /// Past seasons are read from Postgres only.
    async fn is_current(&self, board: Board) -> sqlx::Result<bool> {
        Ok(crate::season::open_id(&self.app.db).await? == board.season_id)
    }

    /// Whether the set on the bus has all rows, as far as this node knows; if not, it is filled.
    pub(crate) async fn is_complete(&self, board: Board) -> bool {
        let state = self.states().get(&board).copied();
        if let Some(State::Complete(seen)) = state {
            let (name, boards) = (board.name(), &self.app.bus.boards);
            let (size, mark) = tokio::join!(boards.size(&name), boards.mark(&name));
            let (Ok(rows), Ok(mark)) = (size, mark) else { return false };
            // An empty set looks like a lost one; and Postgres is quick to say nothing.
            if rows < seen.rows.max(1) || mark.is_none() {
                self.states().remove(&board);
            } else if mark < Some(seen.mark) {
                // It is brought up to date by the job that follows; until then it is not read.
                return false;
            } else {
                self.saw(board, Seen { rows, mark: mark.unwrap_or(seen.mark) });
                return true;
            }
        }
        let boards = self.clone();
        if !self.states().contains_key(&board) {
            let fill = async move { boards.complete(board).await };
            self.app.tasks.spawn("leaderboard_fill", fill);
        }
        false
    }

    /// Postgres has changes up to `mark`: a set that is not as far is not read from now on.
    pub(super) fn truth_is_at(&self, board: Board, mark: i64) {
        if let Some(State::Complete(seen)) = self.states().get_mut(&board) {
            seen.mark = seen.mark.max(mark);
        }
    }

    fn saw(&self, board: Board, new: Seen) {
        if let Some(State::Complete(seen)) = self.states().get_mut(&board) {
            *seen = Seen { rows: new.rows, mark: seen.mark.max(new.mark) };
        }
    }

    /// Compares a set with Postgres and fills it if it has to be; one at a time on a node.
    pub(crate) async fn complete(&self, board: Board) {
        if self.states().insert(board, State::Filling) == Some(State::Filling) {
            return;
        }
        let filling = Filling { boards: self, board };
        match fill(&self.app, board).await {
            Ok(seen) => {
                self.states().insert(board, State::Complete(seen));
                // Settled: nobody may begin to fill it again in between.
                std::mem::forget(filling);
            }
            Err(error) => {
                tracing::debug!(%error, board = board.name(), "a leaderboard was not filled");
            }
        }
    }

    fn states(&self) -> MutexGuard<'_, HashMap<Board, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_read(source: &'static str) {
    metrics::counter!("sortie_leaderboard_reads_total", "source" => source).increment(1);
}

fn rows_from(rows: Vec<(Uuid, i64)>, before: i64) -> Vec<Row> {
    let ranked = rows.into_iter().zip(before + 1..);
    ranked
        .map(|((player_id, score), rank)| {
            let shown = i32::try_from(score).unwrap_or_default();
            Row { rank, player_id, shown }
        })
        .collect()
}

/// A set that is filled at present. However that ends, by a panic even, another may fill it then.
struct Filling<'a> {
    boards: &'a Boards,
    board: Board,
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        self.boards.states().remove(&self.board);
    }
}

/// Makes a set complete; gives what it has at least.
async fn fill(app: &AppState, board: Board) -> Result<Seen, FillError> {
    let (name, boards) = (board.name(), &app.bus.boards);
    // Whatever is read from here on is at least as new.
    let newest = store::newest(&app.db, board.season_id).await?;
    let before = store::size(&app.db, board).await?;
    let (size, mark) = (boards.size(&name).await?, boards.mark(&name).await?);
    // Results may come while we look.
    let after = store::size(&app.db, board).await?;
    // One that is not as far lacks no rows; the job that follows brings it up to date. One that is
    // farther than Postgres is of another database, or of a later time of this one.
    let is_foreign = mark > Some(store::newest(&app.db, board.season_id).await?);
    if (before..=after).contains(&size) && mark.is_some() && !is_foreign {
        return Ok(Seen { rows: before, mark: newest });
    }
    if size > after || is_foreign {
        boards.clear(&name).await?;
    }
    // Without need it is not cleared: other nodes may fill it, too.
    let mut last = After::START;
    loop {
        let rows = store::page(&app.db, board, last, FILLED_AT_ONCE).await?;
        let Some(row) = rows.last() else { break };
        last = After { rank: row.rank, shown: row.shown, player_id: row.player_id };
        let scores = rows.iter().map(|row| (row.player_id, i64::from(row.shown)));
        boards.put(&name, &scores.collect::<Vec<_>>()).await?;
    }
    boards.set_mark(&name, newest).await?;
    metrics::counter!("sortie_leaderboard_fills_total").increment(1);
    tracing::info!(board = name, rows = last.rank, "a leaderboard was filled");
    Ok(Seen { rows: last.rank.unsigned_abs(), mark: newest })
}
