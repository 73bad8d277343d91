//! Bots, scenarios and measurements.
//!
//! A library that the `sortie` binary uses for `swarm` and `sim`, and that the benchmarks stand
//! on. It knows clients and the simulation, never the server: a server under test is another
//! process. Start with [`scenario`], then [`headless`] and [`measure`].

pub mod bots;
pub mod goals;
pub mod ground;
pub mod headless;
pub mod light;
pub mod measure;
pub mod minds;
pub mod pin;
pub mod samples;
pub mod scenario;
pub mod swarm;
pub mod ticket;
pub mod walker;
