//! Wire to simulation and back: the only crate that knows both.
//!
//! In: [`input`] makes commands of inputs and messages. Out: [`frame::publish`] puts a tick into
//! the history that all sessions share, a [`lens::Lens`] gathers what one player is told of it,
//! and a [`feed::Feed`] says the rest on the reliable stream. [`predict::Predictor`] lets clients
//! run the movement that the server runs.
//!
//! What is deliberately absent: sockets, sessions' state, and any decision of the game. What a
//! player may know is decided by the simulation's interest and by [`frame`]'s team views, nowhere
//! else.

pub mod feed;
pub mod frame;
pub mod input;
pub mod lens;
pub mod noise;
pub mod own;
pub mod predict;
