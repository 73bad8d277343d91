//! One file per command: its options, what it does with them, and what it tells.

pub mod battle;
pub mod bot;
pub mod check;
pub mod completions;
pub mod healthcheck;
pub mod migrate;
pub mod openapi;
pub mod replay;
pub mod serve;
pub mod sim;
pub mod swarm;
pub mod ticket;
pub mod up;
