//! Results of battles: told over gRPC, stored once, with everything that follows from them.
//!
//! `check` reads what is told, with all bounds; `fit` holds the result against what is known of the
//! battle; `change` says what it does to ratings; `store` is the transaction and its order of
//! locks, `admit` its fences; `write` are the statements; `outcome` is what became of it.

mod admit;
mod change;
mod check;
mod fit;
mod outcome;
mod rpc;
#[cfg(test)]
mod simulation;
mod store;
mod write;

pub use check::{
    BattleResult, COUNTS, EVENT_BYTES_MAX, EVENTS_MAX, EventRecord, Malformed, PLAYERS_MAX,
    PlayerRecord, ReplayRecord, TICK_HZ_MAX, WEAPONS_MAX, WeaponCounts,
};
pub use outcome::{Outcome, Refusal, Stored};
pub use rpc::{REPORT_BYTES_MAX, add_rpc};
pub use store::store;
