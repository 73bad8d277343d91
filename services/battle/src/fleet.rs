//! A battle server as one of a fleet: the control plane says which battles to run, and is told how
//! they stand and how they ended.
//!
//! ```text
//!  agent's thread (tokio)                         main thread
//!  link: register, heartbeats up, orders down ──► mailbox ──► host: one battle after the other
//!        statuses ◄── a slot, newest only ──────── mailbox ◄── the tick of the battle
//!  reporter: results until a receipt comes ◄───── spool ◄── host, when a battle is over
//! ```
//!
//! Rules:
//! - The tick waits for nothing here: it looks into a bounded queue once, and puts its status
//!   into a slot if nobody holds it at that moment.
//! - What was promised is on the disk first: an order to open a battle before it is acknowledged,
//!   a result before its battle's folder goes. Whatever dies in between, the next start finds a
//!   folder with an order and knows from journal and replay how far it came.
//! - A control plane that is away costs a battle nothing. Battles that were taken up do not wait
//!   for it; results wait in the spool.
//!
//! The mailbox is a part of the server, which knows nothing of this module.
//!
//! What is deliberately absent: who may play and what a result is worth. Both are the control
//! plane's.

mod agent;
mod backoff;
mod config;
mod folder;
mod host;
mod link;
mod order;
mod reporter;
mod result;
pub mod spool;
mod status;
mod trouble;

pub use config::{FleetConfig, FleetEvent, Registered, Secret};
pub use host::run;
