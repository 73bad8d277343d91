//! The deterministic battle.
//!
//! A bevy_ecs world behind a small API: [`Battle::new`](battle::Battle::new) from (configuration,
//! field, seed), [`step`](battle::Battle::step) with the ordered commands of a tick, read the
//! [`TickOutput`](event::TickOutput) and the [`View`](view::View). Same configuration, seed and
//! commands give the same state hash on every tick, whatever the number of threads.
//!
//! What is deliberately absent: sockets, clocks, async, files, the wire format, std's
//! transcendental functions, and any iteration whose order depends on history.
//! Start with `schedule.rs`: the order of a tick stands there in one place.

pub mod battle;
pub mod codec;
pub mod command;
pub mod components;
pub mod config;
pub mod event;
pub mod facts;
pub mod grid;
pub mod hash;
pub mod id;
pub mod interest;
pub mod movement;
mod publish;
mod receive;
pub mod region;
pub mod rng;
pub mod schedule;
pub mod separation;
mod state;
pub mod view;
mod walk;
pub mod workers;
pub mod world;

pub use battle::{Battle, BattleSetup};
pub use sortie_field as field;
