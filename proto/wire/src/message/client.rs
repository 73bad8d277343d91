//! What a client says on the stream.

use bincode::{Decode, Encode};

use super::bounded::Blob;
use crate::{limits::TICKET_BYTES_MAX, resume::RESUME_TOKEN_BYTES};

/// What a client says on the stream. The first message is a [`Hello`](Self::Hello), and only the
/// first.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ClientMessage {
    /// Asks to be let in.
    Hello(Hello),
    /// Asks to come (back) into the battle at the next spawn wave.
    Spawn {
        /// Base, captured point or squad mate to come in at.
        at: SpawnAt,
        /// As what class, by number.
        class: u8,
    },
    /// Stops waiting for a medic.
    GiveUp,
    /// Joins the lowest squad with room.
    JoinSquad,
    /// Leaves the squad.
    LeaveSquad,
    /// As squad leader, names the point to attack or defend.
    SquadOrder {
        /// The point's number on the map.
        point: u8,
    },
    /// Marks the enemy nearest to the view direction for the team.
    Spot,
    /// Asks for a [`Pong`](super::ServerMessage::Pong).
    Ping {
        /// Comes back unchanged.
        nonce: u64,
    },
    /// Leaves the battle for good; the server closes the connection.
    Leave,
}

/// The first message of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`](crate::limits::PROTOCOL_VERSION) of the client. First in the message
    /// in every version to come.
    pub version: u16,
    /// Lanes besides QUIC that the client can use, a bit each; unknown bits are ignored. Bit *n*
    /// is the sealed lane with suite *n* + 1:
    /// [`LANE_AES_128_GCM`](crate::limits::LANE_AES_128_GCM),
    /// [`LANE_CHACHA20_POLY1305`](crate::limits::LANE_CHACHA20_POLY1305).
    pub lanes: u8,
    /// What entitles the client to be here.
    pub credential: Credential,
}

/// What entitles a client to play.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Credential {
    /// A signed [ticket](crate::ticket): to join.
    Ticket(Blob<TICKET_BYTES_MAX>),
    /// The token of the last welcome: to come back.
    Resume(Blob<RESUME_TOKEN_BYTES>),
}

/// Where to come into the battle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum SpawnAt {
    /// The team's base.
    #[default]
    Base,
    /// A captured point, by its number on the map.
    Point(u8),
    /// Beside a squad mate.
    Squad,
}
