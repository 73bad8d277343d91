//! Players without people: bots, what they see and decide, and the swarm that lets hundreds of them
//! fight over the network.
//!
//! The programs ship it (`swarm`, `sim`, `bot`, the bots of `up`), and the benchmarks stand on it.
//! It knows clients and the simulation, never the server: a server is another process. Start with
//! [`scenario`], then [`bots`], [`headless`] and [`swarm`].

pub mod bots;
pub mod cpu;
pub mod frames;
pub mod ground;
pub mod headless;
pub mod minds;
pub mod samples;
pub mod scenario;
pub mod swarm;
pub mod ticket;
pub mod turns;
pub mod walker;
