//! The measurements behind `docs/benchmarks.md`.
//!
//! Each one asserts what it computed and returns figures; none asserts a time. `bench-table` runs
//! them at full size and prints the table, the tests run them small.

pub mod bits;
pub mod codec;
pub mod copy;
pub mod floor;
pub mod interest;
pub mod listen;
pub mod quic_lane;
pub mod rays;
pub mod sealed_lane;
pub mod serve;
pub mod suite;
mod suite_run;
pub mod table;
pub mod tick;
pub mod transport;
pub mod transport_run;
