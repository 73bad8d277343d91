//! Where a client stands, and what it tells its owner.

use sortie_wire::{
    message::ServerMessage,
    snapshot::{HitMarker, Sound},
};

/// Where a client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The first connection is being made.
    Connecting,
    /// Connected, asking to be let in.
    Joining,
    /// In the battle.
    Playing,
    /// The connection is lost; the client is coming back to its soldier by itself.
    Resuming,
    /// Over for good.
    Closed {
        /// The server's [close code](sortie_wire::close::CloseCode) number; `None` when the
        /// network or this side ended it.
        code: Option<u16>,
        /// For the player's eyes.
        reason: String,
    },
}

/// What happened, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Let in, for the first time or again.
    Welcomed {
        /// The soldier was already in the battle.
        resumed: bool,
        /// The server process is another one than at the last welcome: it took the battle up
        /// from its journal.
        restarted: bool,
    },
    /// The connection is lost; the client tries to come back.
    Lost,
    /// A message from the server, already worked into the view.
    Message(ServerMessage),
    /// Something was heard.
    Sound(Sound),
    /// An own shot hit.
    Hit(HitMarker),
    /// Over for good; the last event.
    Closed,
}
