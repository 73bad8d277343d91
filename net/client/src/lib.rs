//! The client library: connect, predict, reconcile, interpolate, resume.
//!
//! Sans-I/O: [`GameClient`] takes UDP datagrams, times and a player's wishes, and gives UDP
//! datagrams, wake-ups, events and a [view](ClientView) of the battle. It needs a socket of its
//! own; any address will do, also a new one in mid-battle.
//!
//! What is deliberately absent: sockets, threads, clocks, drawing, and the rules of movement,
//! which whoever embeds it hands in as a [`Predict`].

mod config;
mod control;
mod corrections;
mod event;
mod game;
mod lane;
mod link;
mod playing;
mod prediction;
mod remotes;
mod render_clock;
mod stats;
mod view;

pub use config::{GameClientConfig, LanePolicy, LocalInput};
pub use corrections::Corrections;
pub use event::{Event, State};
pub use game::GameClient;
pub use remotes::{Pose, Remote, Remotes};
pub use sortie_session::predict::{Neighbour, Predict, UnusableRules};
pub use stats::{ClientStats, LaneStats};
pub use view::{ClientView, DistantMate};
