//! The deterministic battle.
//!
//! A bevy_ecs world behind a small API: [`Battle::new`](battle::Battle::new) from (configuration,
//! field, seed), [`step`](battle::Battle::step) with the ordered commands of a tick, read the
//! [`TickOutput`](event::TickOutput) and the [`View`](view::View). Same configuration, seed and
//! commands give the same state hash on every tick, whatever the number of threads.
//!
//! What is deliberately absent: sockets, clocks, async, files, the wire format, std's
//! transcendental functions, and any iteration whose order depends on history.
//!
//! Start with [`schedule`]: the order of a tick stands there in one place. Then:
//!
//! | to learn | read |
//! |---|---|
//! | what a soldier is made of | [`components`] |
//! | what a tick's systems tell each other | [`transient`] |
//! | what is hashed and saved, all of it | `state.rs`, [`codec`] |
//! | how work is shared out, and what regions are | [`region`], [`workers`] |
//! | what a player may know | [`interest`] |
//! | the rules as data | [`config`], `sim/rules/` |
//!
//! Invariants. Soldiers are reached through the [`Roster`](components::Roster) and props through
//! the [`PropTable`](components::PropTable), never by the order in which bevy stores them. Chance
//! is a pure function of (seed, tick, who, purpose): there is no generator to advance. Parallel
//! work changes only its own row, and rows are put back in slot order. A tick asks for no memory
//! once its buffers have grown.

pub mod battle;
pub mod codec;
pub mod combat;
pub mod command;
pub mod components;
pub mod config;
pub mod event;
pub mod grid;
pub mod hash;
pub mod id;
pub mod interest;
pub mod movement;
pub mod objective;
pub mod place;
mod publish;
mod receive;
pub mod region;
pub mod rng;
pub mod schedule;
mod score;
pub mod separation;
mod spawn;
mod squad;
mod state;
pub mod transient;
mod version;
pub mod view;
mod walk;
pub mod workers;
pub mod world;

pub use battle::{Battle, BattleSetup};
pub use sortie_field as field;
pub use version::SIMULATION;
