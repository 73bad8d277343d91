//! What staff switch while everything runs. There are these flags and no others: one that nobody
//! reads would only look as if it did something.
//!
//! A flag is a row of the table `flag` when staff have set it, and its default otherwise. It is
//! read by every call that it is about, so that it holds on all nodes at once.

use serde::Serialize;
use sqlx::PgExecutor;
use utoipa::ToSchema;

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Whether new accounts are made, those of guests, too.
    SignUpOpen,
    /// Whether new tickets are taken into queues. Who waits already waits on.
    MatchmakingOpen,
}

impl Flag {
    /// Every flag there is.
    pub const ALL: &[Self] = &[Self::SignUpOpen, Self::MatchmakingOpen];

    /// The names of all, for people.
    pub fn names() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|flag| flag.name()).collect();
        names.join(", ")
    }

    /// As it is called in paths and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignUpOpen => "sign_up_open",
            Self::MatchmakingOpen => "matchmaking_open",
        }
    }

    /// What it does.
    pub fn about(self) -> &'static str {
        match self {
            Self::SignUpOpen => "new accounts are made, those of guests, too",
            Self::MatchmakingOpen => "new tickets are taken into queues; who waits waits on",
        }
    }

    /// What holds while nobody has set it.
    pub fn default_value(self) -> bool {
        match self {
            Self::SignUpOpen | Self::MatchmakingOpen => true,
        }
    }

    /// The flag of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|flag| flag.name() == name)
    }

    /// Whether it is on now. A row that is neither true nor false counts as none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_on(self, db: impl PgExecutor<'_>) -> sqlx::Result<bool> {
        let value = sqlx::query_scalar!("select value from flag where flag = $1", self.name())
            .fetch_optional(db)
            .await?;
        Ok(value.and_then(|value| value.as_bool()).unwrap_or(self.default_value()))
    }
}
