//! The battle server: tick loop, sessions, journal, replay.

pub mod failpoint;
pub mod journal;
