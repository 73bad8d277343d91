//! What `sortie-control up` runs beside a node: battle servers as child processes, and bots that
//! live as players do, over REST and QUIC.
//!
//! [`ports`] are looked at before anything starts, [`program`] finds the program of battle servers,
//! [`child`] owns such a process, [`servers`] keeps as many of them as were asked for, [`leftover`]
//! is what an earlier run left. [`api`] is what a bot knows of REST, [`bots`] is how it lives,
//! [`screen`] shows it, and [`tally`] asks the database afterwards whether everything adds up, for
//! the [`report`].

pub(crate) mod api;
pub(crate) mod bots;
pub(crate) mod child;
pub(crate) mod leftover;
pub(crate) mod ports;
pub(crate) mod program;
pub(crate) mod report;
pub(crate) mod screen;
pub(crate) mod servers;
pub(crate) mod tally;
