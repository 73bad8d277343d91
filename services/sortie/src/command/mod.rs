//! One file per command: its options, what it does with them, and what it tells.

pub mod battle;
pub mod bot;
pub mod replay;
pub mod sim;
pub mod swarm;
pub mod ticket;
