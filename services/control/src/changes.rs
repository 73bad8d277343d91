//! What changed about players: the one way in which it reaches connections that live longer than
//! a call.
//!
//! A connection that keeps something of its player (a name, a right, a party) would keep it when
//! that is changed elsewhere. Triggers of the database tell of every change at its commit, whoever
//! made it and on whichever node; nothing but the player's id is told, so that nobody is granted
//! anything by a message. Whoever keeps something hears of the change here, and reads it again.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use uuid::Uuid;

/// The channel of the notifications.
const CHANNEL: &str = "player_changed";

/// How long changes are gathered: many at once are read at once.
const GATHERED: Duration = Duration::from_millis(50);

/// Players of one batch; of more, everybody is looked at.
const PLAYERS_MAX: usize = 10_000;

/// Who has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// These.
    Players(BTreeSet<Uuid>),
    /// Something may have been missed: anybody may have.
    Anybody,
}

/// What changes, batch by batch.
#[derive(Debug)]
pub struct Changes {
    db: PgPool,
    /// `None`: nothing is heard at the moment.
    listener: Option<PgListener>,
}

impl Changes {
    /// Of a database; nothing is heard before the first [`Changes::next`].
    pub fn of(db: PgPool) -> Self {
        Self { db, listener: None }
    }

    /// The next batch. The first one is everybody, and so is the one after each gap: whoever could
    /// not make use of a batch begins with new changes.
    ///
    /// # Errors
    /// The database is away; the next batch is everybody then.
    pub async fn next(&mut self) -> sqlx::Result<Changed> {
        let mut listener = match self.listener.take() {
            Some(listener) => listener,
            None => {
                let mut listener = PgListener::connect_with(&self.db).await?;
                listener.listen(CHANNEL).await?;
                self.listener = Some(listener);
                return Ok(Changed::Anybody);
            }
        };
        let mut changed = match listener.try_recv().await? {
            Some(told) => Changed::of(told.payload()),
            None => Changed::Anybody,
        };
        tokio::time::sleep(GATHERED).await;
        while let Some(told) = listener.next_buffered() {
            changed.add(told.payload());
        }
        self.listener = Some(listener);
        Ok(changed)
    }
}

impl Changed {
    fn of(payload: &str) -> Self {
        let mut changed = Self::Players(BTreeSet::new());
        changed.add(payload);
        changed
    }

    fn add(&mut self, payload: &str) {
        let Self::Players(players) = self else { return };
        match Uuid::try_parse(payload) {
            Ok(player) if players.len() < PLAYERS_MAX => drop(players.insert(player)),
            _ => *self = Self::Anybody,
        }
    }

    /// Whether this player may have changed.
    pub fn concerns(&self, player: Uuid) -> bool {
        match self {
            Self::Players(players) => players.contains(&player),
            Self::Anybody => true,
        }
    }
}
