//! The scenario S1 as every compared stack plays it.
//!
//! Server and clients are two processes. Both know the same [`World`]: it follows from its seed,
//! so the clients need nobody's word to judge what they were told. The runner talks to both over
//! their standard input and output, a line each way; see [`Duty`] and [`Bots`].
//!
//! Nothing here is about a network: that is what the stacks are compared in.

mod args;
mod bots;
mod clock;
mod duty;
mod pose;
mod sockets;
mod tally;
mod world;

pub use args::{Args, Role};
pub use bots::{Bots, Phases};
pub use clock::{TickLog, now_ns, process_cpu};
pub use duty::{Duty, Mark};
pub use pose::{POSE_BYTES, Pose};
pub use sockets::{server_socket, widen};
pub use tally::{Tally, Told, Verdict};
pub use world::{RADIUS_M, World, side_m};

/// Ticks a second.
pub const TICK_HZ: u32 = 60;

/// Bytes of the message that each client sends once a tick.
pub const INPUT_BYTES: usize = 16;

/// Length of a tick.
pub const PERIOD: std::time::Duration =
    std::time::Duration::from_nanos(1_000_000_000 / TICK_HZ as u64);

/// Seed of the world.
pub const SEED: u64 = 0x5051_0001;
