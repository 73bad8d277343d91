//! One file per command: its options, what it does with them, and what it tells.

pub(crate) mod check;
pub(crate) mod migrate;
pub(crate) mod openapi;
mod origin;
pub(crate) mod serve;
pub(crate) mod up;
