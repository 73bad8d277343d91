//! What can go wrong in chat, before any transport is chosen.

use std::time::Duration;

use axum::http::StatusCode;
use sortie_control::error::ApiError;

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// The frame is no request.
    #[error("this is no request that chat knows")]
    Malformed,
    /// The frame is a request with a field that is none; the sentence names it.
    #[error("{0}")]
    UnknownField(String),
    /// The text is empty, too long, or has control characters.
    #[error("a text has 1 to 500 characters, and no control characters but line breaks")]
    Text,
    /// There is no such channel.
    #[error("there is no such channel")]
    Channel,
    /// The channel is for others.
    #[error("this channel is for others")]
    NoAccess,
    /// One has to join before.
    #[error("join the channel first")]
    NotJoined,
    /// The socket is in too many channels.
    #[error("leave another channel first")]
    TooManyChannels,
    /// There is no such message, or none that this player may see.
    #[error("there is no such message")]
    NoMessage,
    /// Somebody else's message.
    #[error("only its author and moderators may change a message")]
    NotAuthor,
    /// The filter refuses a word.
    #[error("the message has a word that is not wanted here")]
    Word,
    /// The channel is slow now.
    #[error("this channel is in slow mode; wait")]
    SlowMode(Duration),
    /// Too often.
    #[error("too often; wait")]
    RateLimited(Duration),
    /// Too many messages wait to be stored.
    #[error("chat is busy; try again soon")]
    Busy,
    /// The database is away. A message may be stored nevertheless.
    #[error("chat cannot store or look up anything now; try again soon")]
    Unavailable,
    /// Banned from chat.
    #[error("you are banned from chat")]
    Banned,
    /// A player cannot mute, report or whisper to itself.
    #[error("that is yourself")]
    Yourself,
    /// There is no such player.
    #[error("there is no such player")]
    NoPlayer,
    /// Reported already.
    #[error("you have reported this message already")]
    ReportedAlready,
    /// More players muted than anybody needs.
    #[error("too many players are muted; unmute some")]
    MutesFull,
    /// The cursor or the limit of a page is none.
    #[error("limit must be 1 to 100, and the cursor one that was given")]
    Page,
    /// This node has too many sockets.
    #[error("this node has no room for another socket")]
    Full,
    /// Our mistake; the cause is in the log.
    #[error("something went wrong on our side")]
    Internal,
}

impl ChatError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed | Self::UnknownField(_) => "chat.malformed",
            Self::Text => "chat.text",
            Self::Channel => "chat.channel",
            Self::NoAccess => "chat.no_access",
            Self::NotJoined => "chat.not_joined",
            Self::TooManyChannels => "chat.too_many_channels",
            Self::NoMessage => "chat.no_message",
            Self::NotAuthor => "chat.not_author",
            Self::Word => "chat.word",
            Self::SlowMode(_) => "chat.slow_mode",
            Self::RateLimited(_) => "chat.rate_limited",
            Self::Busy => "chat.busy",
            Self::Unavailable => "chat.unavailable",
            Self::Banned => "chat.banned",
            Self::Yourself => "chat.yourself",
            Self::NoPlayer => "chat.no_player",
            Self::ReportedAlready => "chat.reported_already",
            Self::MutesFull => "chat.mutes_full",
            Self::Page => "chat.page",
            Self::Full => "chat.full",
            Self::Internal => "internal",
        }
    }

    /// How long to wait, when that helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::SlowMode(wait) | Self::RateLimited(wait) => Some(*wait),
            Self::Busy | Self::Unavailable | Self::Full => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for ChatError {
    /// Constraints must have been turned into errors before.
    fn from(error: sqlx::Error) -> Self {
        match ApiError::from(error).status() {
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            // What was asked for cannot even be looked up.
            StatusCode::UNPROCESSABLE_ENTITY => Self::Malformed,
            _ => Self::Internal,
        }
    }
}

impl From<ChatError> for ApiError {
    fn from(error: ChatError) -> Self {
        let (code, message) = (error.code(), error.to_string());
        match error {
            ChatError::NoAccess | ChatError::NotAuthor | ChatError::Banned => {
                Self::forbidden(code, message)
            }
            ChatError::NoMessage | ChatError::NoPlayer | ChatError::Channel => {
                Self::not_found(code, message)
            }
            ChatError::ReportedAlready => Self::conflict(code, message),
            ChatError::SlowMode(wait) | ChatError::RateLimited(wait) => Self::too_many(wait),
            ChatError::Busy | ChatError::Unavailable | ChatError::Full => {
                Self::unavailable(code, message)
            }
            ChatError::Internal => Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, message),
            _ => Self::invalid(code, message),
        }
    }
}
