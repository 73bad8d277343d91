//! How battles and their servers stand: the words of `battle.state` and `battle_server.state`.
//!
//! Nobody else spells them; a test in `infra/tidy` reads all sources for it. Rust asks the enums.
//! SQL asks the functions of `migrations/0010_states.sql`, which are named like the methods
//! here: Postgres puts their bodies in their place, so that indexes serve as before.

use sortie_control::words;

words! {
    /// Where a battle stands in its life.
    BattleState {
        /// No server has it yet.
        Asked = "asked",
        /// A server was told to begin it.
        Allocated = "allocated",
        /// It runs.
        Running = "running",
        /// It is over, with a result.
        Finished = "finished",
        /// Its server is gone for good.
        Lost = "lost",
        /// It never ran.
        Cancelled = "cancelled",
    }
}

impl BattleState {
    /// Whether the battle is not over: players may be in it, or come.
    pub fn is_live(self) -> bool {
        self == Self::Asked || self.is_on_server()
    }

    /// Whether a server has it, or was told to begin it.
    pub fn is_on_server(self) -> bool {
        matches!(self, Self::Allocated | Self::Running)
    }
}

/// Whether a row says that its battle is not over. A word that only a newer node knows is not live
/// here, and neither is it to `battle_is_live`.
pub fn is_live(name: &str) -> bool {
    BattleState::of_name(name).is_some_and(BattleState::is_live)
}

words! {
    /// How a battle server stands.
    ServerState {
        /// It takes battles.
        Ready = "ready",
        /// It finishes what it has and gets no more.
        Draining = "draining",
        /// Its lease ran out.
        Gone = "gone",
    }
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn the_database_says_the_same_of_battles(db: PgPool) {
        use BattleState::{Allocated, Asked, Finished, Lost, Running};
        for state in BattleState::ALL.iter().copied() {
            let said: Vec<bool> = sqlx::query_scalar(
                "select array[battle_is_live($1), battle_is_on_server($1), battle_is_asked($1),
                     battle_is_allocated($1), battle_is_running($1), battle_is_finished($1),
                     battle_is_lost($1)]",
            )
            .bind(state.name())
            .fetch_one(&db)
            .await
            .unwrap();
            let sets = [state.is_live(), state.is_on_server()];
            let single = [Asked, Allocated, Running, Finished, Lost].map(|one| one == state);
            assert_eq!(said, [&sets[..], &single[..]].concat(), "{state:?}");
            assert_eq!(is_live(state.name()), state.is_live());
        }
        assert!(!is_live("of a newer node"));
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn the_database_says_the_same_of_servers(db: PgPool) {
        for state in ServerState::ALL.iter().copied() {
            let said: Vec<bool> =
                sqlx::query_scalar("select array[server_is_ready($1), server_is_gone($1)]")
                    .bind(state.name())
                    .fetch_one(&db)
                    .await
                    .unwrap();
            assert_eq!(said, [ServerState::Ready, ServerState::Gone].map(|one| one == state));
        }
    }
}
