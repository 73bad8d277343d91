//! Servers and clients on real sockets.

mod loopback;
mod sealed;
