//! The battle server from outside: journals, recovery, replays, and real clients over loopback.

mod common;
mod journal;
mod recovery;
mod replay;
mod server;
mod world;
