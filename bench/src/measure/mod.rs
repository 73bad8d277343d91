//! The measurements behind `docs/benchmarks.md`.
//!
//! Each one asserts what it computed and returns figures; none asserts a time. `bench-table` runs
//! them at full size and prints the table, the tests run them small.

pub mod codec;
pub mod cpu;
pub mod floor;
pub mod interest;
pub mod quic_lane;
pub mod rays;
pub mod suite;
pub mod table;
pub mod tick;
pub mod transport;
pub mod trial;
