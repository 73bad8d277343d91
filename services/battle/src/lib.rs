//! The battle server: tick loop, sessions, journal, replay.
//!
//! The composition root: [`run`] puts simulation, bridge, sessions, QUIC and journal together and
//! ticks until the battle ends. Start with [`server`], whose first page is the order of a tick;
//! then [`journal`], and [`resume`] and [`replay`], which read it.
//!
//! What is deliberately absent: rules of the battle (the simulation's), bytes on the wire (the
//! wire's), what a player may know (the simulation's interest and the bridge's team views),
//! accounts and what results are worth (other services'), and async: the operations listener has a
//! thread of its own, the journal and the control plane's agent ([`fleet`]) have others, and
//! nothing else waits for anything.

pub mod admission;
pub mod config;
pub mod failpoint;
pub mod fleet;
pub mod histogram;
pub mod journal;
pub mod mode;
pub mod replay;
pub mod report;
pub mod resume;
pub mod server;
pub mod store;
pub mod ticket_clock;

pub use config::{BattleServerConfig, Ready, TicketAuthority};
pub use report::BattleReport;
pub use server::run;
