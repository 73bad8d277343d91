//! Whole battles in memory, clients included.

mod common;
mod control;
mod lanes;
mod play;
mod shut_out;
