//! One file per command: its options, what it does with them, and what it tells.

pub(crate) mod battle;
pub(crate) mod bot;
pub(crate) mod replay;
pub(crate) mod sim;
pub(crate) mod swarm;
pub(crate) mod ticket;
