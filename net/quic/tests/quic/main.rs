//! Servers and clients together, on simulated networks and real sockets.

mod admission;
mod conversation;
mod hostile;
mod loopback;
mod memory;
mod migration;
mod raw;
mod sealed;
mod trust;
mod world;
