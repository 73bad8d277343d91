//! Chat over real sockets, on one node and on two, with a local bus and with Redis.

mod abuse;
mod again;
mod authority;
mod between_nodes;
mod clocks;
mod document;
mod faults;
mod goodbye;
mod harness;
mod moderation;
mod retention;
