//! What the command lines of `sortie` and `sortie-control` share: configuration in layers, values
//! as people write them, exit codes, signals, progress, and the commands that both have.
//!
//! It holds nothing of a battle and nothing of the control plane. Start with [`program`].

pub mod address;
pub mod completions;
pub mod config;
pub mod counts;
pub mod environment;
pub mod exit;
pub mod healthcheck;
pub mod moved;
pub mod nearest;
pub mod program;
pub mod progress;
pub mod say;
pub mod signals;
pub mod units;
