//! The battle server: tick loop, sessions, journal, replay.

pub mod admission;
pub mod config;
pub mod failpoint;
pub mod histogram;
pub mod journal;
pub mod replay;
pub mod report;
pub mod resume;
pub mod server;
pub mod store;

pub use config::{BattleServerConfig, Ready, TicketAuthority};
pub use report::BattleReport;
pub use server::run;
