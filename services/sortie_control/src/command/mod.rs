//! One file per command: its options, what it does with them, and what it tells.

pub mod check;
pub mod migrate;
pub mod openapi;
mod origin;
pub mod serve;
pub mod up;
