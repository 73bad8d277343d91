//! A seeded network: latency, jitter, loss (single and in bursts), reordering, duplication, a rate
//! limit with a bounded queue, and addresses that a NAT changes.
//!
//! A [`Link`] is one direction; two links make a path. It is sans-I/O: packets go in with a time
//! and come out at a time, and the same seed and calls give the same result. Start with [`Link`].
//!
//! What is deliberately absent: sockets, threads, clocks, and any idea of what a packet holds.

mod config;
mod link;
mod nat;
mod rng;

pub use config::{Burst, LinkConfig, Probability};
pub use link::{Counters, Link};
pub use nat::Nat;
pub use rng::Rng;
