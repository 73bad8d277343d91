//! Whole battles in memory, clients included.

mod common;
mod control;
mod dead_way;
mod lanes;
mod play;
mod shut_out;
mod sockets;
