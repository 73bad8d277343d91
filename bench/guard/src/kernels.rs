//! What the benchmarks run: everything is prepared here, so that only the kernel is counted.

mod arena;
mod codec;
mod sealing;
mod sessions;

pub use arena::{Battlefield, Onlookers, Walkers};
pub use codec::{Coded, Run};
pub use sealing::{Bare, Ends};
pub use sessions::Sessions;

/// What Valgrind is to set aside for the main thread's stack: a battle is built on it.
pub const MAIN_STACK: &str = "main-stacksize=67108864";
