//! The battle server: tick loop, sessions, journal, replay.

pub mod admission;
pub mod config;
pub mod failpoint;
pub mod histogram;
pub mod journal;
pub mod replay;
pub mod report;
pub mod resume;
pub mod store;
