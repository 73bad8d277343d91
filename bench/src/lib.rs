//! Measurements: what a tick, a snapshot and a packet cost, thousands of clients on one core, and the
//! goals of `docs/benchmarks.md`.
//!
//! It knows clients, players and the simulation, never the server: a server under test is another
//! process. No program that ships depends on it. Start with [`measure`], then [`goals`].

pub mod goals;
pub mod light;
pub mod measure;
pub mod pin;
