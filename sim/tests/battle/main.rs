//! The battle as a whole, one file a behaviour. One crate, so that it links once.

mod checkpoints;
mod golden;
mod interest;
mod regions;
mod sight;
mod support;
mod threads;
