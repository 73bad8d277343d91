//! What a node last saw of a queue. Ten thousand players who ask where they stand cost one look
//! at the table a second, and a binary search each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::error::MatchmakingError;
use crate::settings::{Queue, Settings};

/// The newest view of each queue.
#[derive(Debug, Default)]
pub(crate) struct Views(Mutex<HashMap<String, (Instant, Arc<QueueView>)>>);

/// Who waits in a queue.
#[derive(Debug, Default)]
pub(crate) struct QueueView {
    /// When they came, oldest first.
    since: Vec<OffsetDateTime>,
    /// Ratings in order, with the players of all tickets up to each.
    ratings: Vec<(f64, u32)>,
    /// Largest party among them.
    pub size_max: u32,
}

impl Views {
    /// How a queue stood at most a view's life ago. Those who ask at once share the look.
    pub(crate) async fn of(
        &self,
        db: &PgPool,
        settings: &Settings,
        queue: &Queue,
    ) -> Result<Arc<QueueView>, MatchmakingError> {
        let mut views = self.0.lock().await;
        if let Some((seen, view)) = views.get(&queue.name)
            && seen.elapsed() < settings.pace.view_life
        {
            return Ok(Arc::clone(view));
        }
        let view = Arc::new(QueueView::load(db, settings, queue).await?);
        views.insert(queue.name.clone(), (Instant::now(), Arc::clone(&view)));
        Ok(view)
    }
}

impl QueueView {
    async fn load(
        db: &PgPool,
        settings: &Settings,
        queue: &Queue,
    ) -> Result<Self, MatchmakingError> {
        let now = settings.now(db).await?;
        let rows = sqlx::query!(
            "select created_at, rating, size from ticket
             where queue = $1 and state = 'waiting' and expires_at > $2
             order by created_at limit $3",
            queue.name,
            now,
            i64::from(settings.pace.tickets_max)
        )
        .fetch_all(db)
        .await?;
        let tickets = rows.iter().map(|row| (row.created_at, row.rating, row.size));
        Ok(Self::new(tickets.map(|(since, rating, size)| (since, f64::from(rating), size as u32))))
    }

    fn new(tickets: impl Iterator<Item = (OffsetDateTime, f64, u32)>) -> Self {
        let mut view = Self::default();
        for (since, rating, size) in tickets {
            view.since.push(since);
            view.ratings.push((rating, size));
            view.size_max = view.size_max.max(size);
        }
        view.ratings.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut players = 0;
        for (_, count) in &mut view.ratings {
            players += *count;
            *count = players;
        }
        view
    }

    /// How many tickets wait.
    pub(crate) fn tickets(&self) -> usize {
        self.since.len()
    }

    /// How many players wait.
    pub(crate) fn players(&self) -> u32 {
        self.ratings.last().map_or(0, |(_, players)| *players)
    }

    /// Since when the one waits who has waited longest.
    pub(crate) fn oldest(&self) -> Option<OffsetDateTime> {
        self.since.first().copied()
    }

    /// The place by age, from 1, of one who came at `since`.
    pub(crate) fn position(&self, since: OffsetDateTime) -> usize {
        self.since.partition_point(|&other| other < since) + 1
    }

    /// The place of one who comes now.
    pub(crate) fn next_position(&self) -> Option<usize> {
        Some(self.since.len() + 1)
    }

    /// Players whose tickets are within `width` of `rating`.
    pub(crate) fn players_within(&self, rating: f64, width: f64) -> u32 {
        let up_to = |end: usize| end.checked_sub(1).map_or(0, |last| self.ratings[last].1);
        let from = self.ratings.partition_point(|(other, _)| *other < rating - width);
        let to = self.ratings.partition_point(|(other, _)| *other <= rating + width);
        up_to(to) - up_to(from.min(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_neighbours_are_counted() {
        let at = |second: i64| OffsetDateTime::from_unix_timestamp(second).unwrap();
        let tickets = [(at(1), 30.0, 2), (at(2), 20.0, 1), (at(3), 25.0, 4)];
        let view = QueueView::new(tickets.into_iter());
        assert_eq!((view.tickets(), view.players(), view.size_max), (3, 7, 4));
        assert_eq!([view.position(at(1)), view.position(at(3)), view.position(at(9))], [1, 3, 4]);
        assert_eq!(view.players_within(25.0, 5.0), 7);
        assert_eq!(view.players_within(24.0, 4.0), 5);
        assert_eq!(view.players_within(50.0, 1.0), 0);
        assert_eq!(QueueView::default().players_within(0.0, 1e9), 0);
    }
}
