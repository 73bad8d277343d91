//! Servers and clients together, on simulated networks and real sockets.

mod admission;
mod conversation;
mod fixture;
mod hostile;
mod memory;
mod migration;
mod raw;
mod trust;
