//! Chat over real sockets, on one node and on two, with a local bus and with Redis.

mod abuse;
mod again;
mod between_nodes;
mod document;
mod faults;
mod harness;
mod moderation;
mod retention;
