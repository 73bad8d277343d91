//! What battles there are, which servers have them, and what these were ordered to do: one function
//! for each change, whoever makes it.
//!
//! This crate owns `battle`, `battle_server`, `server_order`, `battle_log` and `result_review`; a
//! test in `infra/tidy` sees to it that nobody else writes them. Start with [`battle`]: the states
//! that a battle goes through are its functions, and [`state`] says what they are called. [`order`]
//! is how a server is told something, and [`server`] is the lease that it holds.
//!
//! What is deliberately absent: when any of it is to be done, which is the fleet's matter (leases,
//! placement), matchmaking's (who fights), ranking's (what a result changes) and staff's; and who
//! sits in a battle, which `sortie_whereabouts` knows.
//!
//! Callers hold the transaction. Orders lock their server: of many servers, in the order of ids.

pub mod battle;
pub mod log;
pub mod order;
pub mod review;
pub mod server;
pub mod state;
