//! What `sortie-control up` runs beside a node: battle servers as child processes, and bots that live as
//! players do, over REST and QUIC.
//!
//! [`program`] finds the program of battle servers, [`child`] owns such a process, [`api`] is what a bot knows of REST, [`bots`] is how
//! it lives, and [`tally`] asks the database afterwards whether everything adds up.

pub mod api;
pub mod bots;
pub mod child;
pub mod program;
pub mod report;
pub mod tally;
