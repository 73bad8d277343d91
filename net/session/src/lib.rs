//! One player's session without I/O: acks, baselines, priority, budget, jitter buffer, resume.
//!
//! Both ends live here: [`server::ServerSession`] is a player's stay in a battle as the server
//! sees it, [`client::ClientSession`] its mirror. They take bytes and ticks and give bytes.
//!
//! What is deliberately absent: sockets, async, TLS, the simulation. Bytes travel over a
//! [`peer::Peer`]; what entities mean is the bridge's business.

pub mod budget;
mod changes;
pub mod client;
pub mod clock;
mod delays;
pub mod delta_cache;
pub mod history;
pub mod inputs;
pub mod jitter;
pub mod peer;
mod plan;
pub mod predict;
pub mod priority;
pub mod record;
pub mod rewind;
pub mod server;
pub mod slots;
mod snapshot;
