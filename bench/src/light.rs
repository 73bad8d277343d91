//! Thousands of clients on one core: as much of a client as a server can feel.
//!
//! Handshake, hello, inputs and acks are those of a real player over a real socket; snapshots are
//! decoded by a few [watched](watch) clients only, whose memory is compared with the battle's
//! replay afterwards ([`oracle`]). [`run`](run::run) drives a whole server with them.

pub mod age;
mod config;
pub mod count;
pub mod link;
pub mod oracle;
pub mod pace;
pub mod player;
pub mod process;
pub mod report;
pub mod run;
pub mod scrape;
pub mod watch;
