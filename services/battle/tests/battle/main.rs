//! The battle server from outside: journals, recovery, replays, and real clients over loopback.

mod common;
mod control_plane;
mod crash;
mod fleet;
mod intruder;
mod journal;
mod leaving;
mod names;
mod operations;
mod recovery;
mod replay;
mod rotation;
mod scene;
mod server;
mod world;
