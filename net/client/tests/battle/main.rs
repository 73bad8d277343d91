//! Whole battles in memory, clients included.

mod common;
mod lanes;
mod play;
