//! What a server says on the stream.

use bincode::{Decode, Encode};

use super::bounded::{Blob, List, Text};
use crate::{
    limits::{CLOSE_TEXT_BYTES_MAX, DOCUMENTS_BYTES_MAX, NAME_BYTES_MAX, NOTICE_BYTES_MAX},
    resume::RESUME_TOKEN_BYTES,
};

/// What a server says on the stream. The first message is a [`Welcome`](Self::Welcome) or a
/// [`Leaving`](Self::Leaving).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ServerMessage {
    /// The client is in.
    Welcome(Box<Welcome>),
    /// How the round stands; about once a second and when something changes.
    RoundState(RoundState),
    /// What happened, in order.
    KillFeed(List<FeedEntry, 64>),
    /// Players that joined or whose line changed; after a welcome, all of them.
    PlayerList(List<PlayerEntry, 256>),
    /// Lines of the scoreboard that changed; after a welcome, all of them.
    ScoreBoard(List<ScoreEntry, 256>),
    /// A player left for good.
    PlayerLeft {
        /// Slot of the player; the battle does not use it again for another one.
        slot: u16,
    },
    /// The server thins out what it sends, or stops doing so.
    LoadStep(LoadStep),
    /// The round is over.
    RoundEnded {
        /// The team that won, 0 or 1; `None`: a draw.
        winner: Option<u8>,
        /// The tick in which it ended.
        tick: u32,
    },
    /// The server closes the connection after this.
    Leaving {
        /// A [close code](crate::close::CloseCode)'s number.
        code: u16,
        /// For the player's eyes.
        text: Text<CLOSE_TEXT_BYTES_MAX>,
    },
    /// Answers a [`Ping`](super::ClientMessage::Ping).
    Pong {
        /// The ping's.
        nonce: u64,
        /// The last tick stepped when it was answered.
        tick: u32,
    },
    /// Inputs and snapshots may travel in sealed packets of their own from now on, under keys of
    /// this connection's TLS exporter; right after the welcome, when both sides can.
    SealedLane {
        /// Which session those packets name.
        session: u32,
        /// How they are sealed: 1 AES-128-GCM, 2 ChaCha20-Poly1305.
        suite: u8,
    },
    /// An operator says something to everybody.
    Notice {
        /// For the player's eyes.
        text: Text<NOTICE_BYTES_MAX>,
    },
}

/// All that a client needs to take part.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// [`PROTOCOL_VERSION`](crate::limits::PROTOCOL_VERSION) of the server.
    pub version: u16,
    /// The battle's name for life.
    pub battle_id: u128,
    /// Differs after each start of the server process: a client that sees it change knows that
    /// the battle was taken up from its journal.
    pub incarnation: u64,
    /// The own slot; the own soldier's entity id.
    pub slot: u16,
    /// The own team, 0 or 1.
    pub team: u8,
    /// The last tick stepped.
    pub tick: u32,
    /// Ticks a second.
    pub tick_hz: u16,
    /// Ticks from one snapshot to the next while nothing is thinned out; at least 1.
    pub snapshot_interval_ticks: u8,
    /// Seconds that the soldier waits for its player after the connection is lost.
    pub grace_s: u16,
    /// The soldier was already in the battle: this is a return.
    pub resumed: bool,
    /// How far the server thins out at present.
    pub load: LoadStep,
    /// What brings the player back after a lost connection.
    pub resume_token: Blob<RESUME_TOKEN_BYTES>,
    /// The map, TOML. Together with the rules at most 60 KiB.
    pub map: Text<DOCUMENTS_BYTES_MAX>,
    /// The rules, TOML.
    pub rules: Text<DOCUMENTS_BYTES_MAX>,
}

/// How the round stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RoundState {
    /// At the end of this tick.
    pub tick: u32,
    /// Tickets left (Conquest) or score reached (deathmatch), per team.
    pub tickets: [u32; 2],
    /// Capture points in the map's order.
    pub points: List<PointState, 32>,
    /// Seconds until the round ends by the clock; `None`: no clock.
    pub time_left_s: Option<u32>,
}

/// How a capture point stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PointState {
    /// The owning team, 0 or 1.
    pub owner: Option<u8>,
    /// Per cent, -100 (team 0's) to 100 (team 1's).
    pub progress: i8,
    /// Soldiers alive inside, per team.
    pub inside: [u16; 2],
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FeedEntry {
    /// A soldier went down, or died at once.
    Downed {
        /// The tick in which it happened.
        tick: u32,
        /// Slot of the player whose soldier it was.
        victim: u16,
        /// By whom; `None`: nobody.
        killer: Option<u16>,
        /// With what, by its number in the rules.
        weapon: Option<u8>,
        /// By a shot into the head.
        headshot: bool,
    },
    /// A death became final.
    Died {
        /// The tick in which it happened.
        tick: u32,
        /// Slot of the player whose soldier it was.
        victim: u16,
    },
    /// A soldier was helped up.
    Revived {
        /// The tick in which it happened.
        tick: u32,
        /// Slot of the player whose soldier it was.
        victim: u16,
        /// Slot of the player who helped.
        medic: u16,
    },
    /// A point changed hands.
    PointOwner {
        /// The tick in which it happened.
        tick: u32,
        /// Number of the point on the map.
        point: u8,
        /// To whom; `None`: neutral.
        owner: Option<u8>,
    },
}

/// A player's line in the list of players.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PlayerEntry {
    /// The player's slot, its soldier's entity id.
    pub slot: u16,
    /// 0 or 1.
    pub team: u8,
    /// Squad within the team.
    pub squad: Option<u16>,
    /// Whether a connection is behind the player at present.
    pub connected: bool,
    /// What others see.
    pub name: Text<NAME_BYTES_MAX>,
}

/// A player's line on the scoreboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ScoreEntry {
    /// Slot of the player.
    pub slot: u16,
    /// Points of the score.
    pub points: u32,
    /// Enemies killed.
    pub kills: u16,
    /// Final deaths.
    pub deaths: u16,
    /// Kills helped with.
    pub assists: u16,
    /// Mates revived.
    pub revives: u16,
    /// Points captured or neutralised.
    pub captures: u16,
}

/// How far an overloaded server degrades. Each step includes the ones before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[repr(u8)]
pub enum LoadStep {
    /// Everything, every time.
    #[default]
    Normal = 0,
    /// Far entities in fewer snapshots.
    ThinFar = 1,
    /// Half the snapshots.
    HalfRate = 2,
    /// Nobody new is let in.
    NoJoins = 3,
}
