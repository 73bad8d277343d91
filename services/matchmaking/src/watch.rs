//! Which tickets are watched on this node, and by whom.
//!
//! Whoever watches holds a [`Seat`] and is woken when the ticket has changed. One look of the node
//! at all watched tickets, four times a second, costs one query however many watch; a stream that
//! asked by itself would cost a query for each player. Nothing is missed that way, whichever node
//! changed the ticket, and nothing has to be heard from anywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;
use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::settings::Settings;

/// Everybody who watches on this node.
#[derive(Debug)]
pub(crate) struct Watches {
    inner: Mutex<Inner>,
    max: usize,
    per_player_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    tickets: HashMap<Uuid, Watched>,
    players: HashMap<Uuid, usize>,
    seats: usize,
}

#[derive(Debug)]
struct Watched {
    mark: watch::Sender<Option<Mark>>,
    seats: usize,
}

/// What changes when there is something to tell of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    state: String,
    match_id: Option<Uuid>,
    battle_id: Option<Uuid>,
    /// Players of its match who said yes.
    accepted: i64,
}

impl Watches {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            inner: Mutex::default(),
            max: settings.pace.streams_max,
            per_player_max: settings.pace.streams_per_player_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a player at a ticket.
    pub(crate) fn take(
        self: &Arc<Self>,
        ticket_id: Uuid,
        player_id: Uuid,
    ) -> Result<Seat, MatchmakingError> {
        let mut inner = self.lock();
        if inner.seats >= self.max {
            return Err(MatchmakingError::StreamsFull);
        }
        let own = inner.players.entry(player_id).or_default();
        if *own >= self.per_player_max {
            return Err(MatchmakingError::TooManyStreams);
        }
        *own += 1;
        inner.seats += 1;
        metrics::gauge!("sortie_matchmaking_streams").set(inner.seats as f64);
        let watched = inner.tickets.entry(ticket_id);
        let watched =
            watched.or_insert_with(|| Watched { mark: watch::Sender::new(None), seats: 0 });
        watched.seats += 1;
        let mark = watched.mark.subscribe();
        drop(inner);
        Ok(Seat { watches: Arc::clone(self), ticket_id, player_id, mark })
    }

    fn leave(&self, ticket_id: Uuid, player_id: Uuid) {
        let mut inner = self.lock();
        inner.seats -= 1;
        metrics::gauge!("sortie_matchmaking_streams").set(inner.seats as f64);
        if let Some(watched) = inner.tickets.get_mut(&ticket_id) {
            watched.seats -= 1;
            if watched.seats == 0 {
                inner.tickets.remove(&ticket_id);
            }
        }
        if let Some(own) = inner.players.get_mut(&player_id) {
            *own -= 1;
            if *own == 0 {
                inner.players.remove(&player_id);
            }
        }
    }

    /// Looks at all watched tickets, and wakes who watches one that has changed.
    async fn look(&self, db: &PgPool) -> sqlx::Result<()> {
        let watched: Vec<Uuid> = self.lock().tickets.keys().copied().collect();
        if watched.is_empty() {
            return Ok(());
        }
        let rows = sqlx::query!(
            r#"select ticket_id, state, match_id, battle_id,
                (select count(*) from match_answer a where a.match_id = t.match_id and a.accepted)
                    as "accepted!"
             from ticket t where ticket_id = any($1)"#,
            &watched
        )
        .fetch_all(db)
        .await?;
        let mut found: HashMap<Uuid, Mark> = HashMap::with_capacity(rows.len());
        for row in rows {
            let (state, match_id, battle_id) = (row.state, row.match_id, row.battle_id);
            found
                .insert(row.ticket_id, Mark { state, match_id, battle_id, accepted: row.accepted });
        }
        let inner = self.lock();
        for ticket_id in watched {
            // Somebody may have left meanwhile; a ticket that is gone has changed, too.
            let Some(watched) = inner.tickets.get(&ticket_id) else { continue };
            let now = found.remove(&ticket_id);
            watched.mark.send_if_modified(|mark| {
                let is_new = *mark != now;
                *mark = now;
                is_new
            });
        }
        Ok(())
    }
}

/// Somebody who watches a ticket, as long as this lives.
#[derive(Debug)]
pub(crate) struct Seat {
    watches: Arc<Watches>,
    ticket_id: Uuid,
    player_id: Uuid,
    mark: watch::Receiver<Option<Mark>>,
}

impl Seat {
    /// Resolves when the ticket may have changed since the last time.
    pub(crate) async fn changed(&mut self) {
        // The sender lives as long as a seat does.
        drop(self.mark.changed().await);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.watches.leave(self.ticket_id, self.player_id);
    }
}

/// Looks again and again until the stop.
pub(crate) async fn run(db: PgPool, watches: Arc<Watches>, settings: Arc<Settings>, stop: Stop) {
    let (period, failing) = (settings.pace.look_period, "watched tickets cannot be read");
    let mut rounds = Rounds::new("watched-tickets", period, failing, stop).later();
    while rounds.next().await {
        rounds.ended(watches.look(&db).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watches(max: usize, per_player_max: usize) -> Arc<Watches> {
        let mut settings = Settings::default();
        settings.pace.streams_max = max;
        settings.pace.streams_per_player_max = per_player_max;
        Arc::new(Watches::new(&settings))
    }

    #[test]
    fn seats_are_bounded_and_come_back() {
        let watches = watches(3, 2);
        let (ticket, ada, bob, eve) =
            (Uuid::from_u128(9), Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let first = watches.take(ticket, ada).unwrap();
        let _second = watches.take(ticket, ada).unwrap();
        let third = watches.take(ticket, ada);
        assert!(matches!(third, Err(MatchmakingError::TooManyStreams)));
        let of_bob = watches.take(ticket, bob).unwrap();
        assert!(matches!(watches.take(ticket, eve), Err(MatchmakingError::StreamsFull)));
        drop((first, of_bob));
        watches.take(ticket, ada).unwrap();
        watches.take(Uuid::from_u128(8), eve).unwrap();
        let left = watches.lock();
        assert_eq!((left.seats, left.tickets.len(), left.players.len()), (1, 1, 1));
    }
}
