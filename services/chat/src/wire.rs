//! What clients and chat say to each other: JSON, one object a frame.
//!
//! A [`Request`] has a `cid` that its [`Answer`] repeats; a [`ChannelEvent`] has none. A request
//! with a field that chat does not know is refused: misspelt, it would be another request. Clients
//! pass over fields that they do not know, so that a node may be newer. `docs/chat.md` has a sample
//! of everything here, and a test reads it.

use serde::{Deserialize, Serialize};
use sortie_control::page::Page;
use sortie_control::text::prose;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::channel::ChannelName;
use crate::error::ChatError;

/// Largest message and frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 4 << 10;

/// Longest text of a message, in characters.
pub const TEXT_CHARS_MAX: usize = 500;

/// Bounds of what is said.
const TEXT: prose::Bounds = prose::Bounds { chars: 1..=TEXT_CHARS_MAX, lines_max: 10 };

/// Longest text of a report, in characters.
const REPORT: prose::Bounds = prose::Bounds { chars: 0..=1_000, lines_max: 50 };

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client; the answer has the same.
    #[serde(default)]
    pub cid: u64,
    /// What the client asks for, with its arguments.
    #[serde(flatten)]
    pub body: RequestBody,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RequestBody {
    /// Who this is; the first frame, unless the token came with the upgrade.
    Hello {
        /// An access token.
        token: String,
    },
    /// Hear a channel.
    Join {
        /// Name of the channel to join.
        channel: ChannelName,
    },
    /// Hear it no more.
    Leave {
        /// Name of the channel to leave.
        channel: ChannelName,
    },
    /// Say something.
    Say {
        /// Where. It must have been joined, whispers excepted.
        channel: ChannelName,
        /// 1 to 500 characters.
        text: String,
        /// Chosen by the client for this message, a random UUID: who sends it again with the same
        /// one, because no answer came, gets the answer of the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<Uuid>,
    },
    /// Change a message of one's own; moderators: any.
    Edit {
        /// Id of the message to change.
        message_id: Uuid,
        /// 1 to 500 characters.
        text: String,
    },
    /// Take back a message of one's own; moderators: any.
    Delete {
        /// Id of the message to take back.
        message_id: Uuid,
    },
    /// A page of what was said, newest first.
    History {
        /// Name of the channel whose history is read.
        channel: ChannelName,
        /// As the last page gave it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
        /// 1 to 100; 50 without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Hear nothing of a player.
    Mute {
        /// The player whose messages are not shown any more.
        player_id: Uuid,
    },
    /// Hear the player again.
    Unmute {
        /// The player whose messages are shown again.
        player_id: Uuid,
    },
    /// Tell the moderators of a message.
    Report {
        /// Id of the message that is reported.
        message_id: Uuid,
        /// What is wrong with it, up to 1,000 characters.
        #[serde(default)]
        text: String,
    },
    /// Who is in a channel.
    Presence {
        /// Which; it must have been joined.
        channel: ChannelName,
    },
    /// Are you there? With braces: serde lets a unit have any fields.
    Ping {},
}

/// What chat answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Of the request; absent when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<u64>,
    /// What came of it.
    #[serde(flatten)]
    pub body: AnswerBody,
}

/// What came of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AnswerBody {
    /// It is done.
    Ok(Box<Done>),
    /// It is not.
    Error(Refusal),
}

/// What a request that was done gives back; only what belongs to its kind is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// Of `hello`: who this socket is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player: Option<Author>,
    /// Of `join`: seconds between two messages of one player; 0: no slow mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u32>,
    /// Of `say` and `edit`: the message as it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// Of `history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page<Message>>,
    /// Of `presence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Present>,
}

/// Why a request is not done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable, `area.reason`.
    pub code: String,
    /// A sentence for people; may change.
    pub message: String,
    /// Milliseconds to wait, when that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Who is in a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Present {
    /// Up to 100 of them.
    pub players: Vec<Author>,
    /// How many there are.
    pub count: u64,
}

/// A player, as others see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// The author's player id.
    pub player_id: Uuid,
    /// The name now.
    pub name: String,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// In order of time.
    pub message_id: Uuid,
    /// Name of the channel that it was said in.
    pub channel: ChannelName,
    /// The player who said it.
    pub author: Author,
    /// What; empty when it was deleted.
    pub text: String,
    /// When it was said, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub said_at: OffsetDateTime,
    /// When it was changed last.
    #[serde(with = "time::serde::rfc3339::option")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<OffsetDateTime>,
    /// Whether it was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
}

/// What happens in the channels of a socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChannelEvent {
    /// Something was said.
    Message {
        /// The message, with its id and channel.
        message: Message,
    },
    /// Something was changed.
    Edited {
        /// As it is now.
        message: Message,
    },
    /// Something was taken back.
    Deleted {
        /// Name of the message's channel.
        channel: ChannelName,
        /// Id of the message that is gone.
        message_id: Uuid,
    },
    /// Too much was missed: read the history.
    Gap {
        /// Where; a whisper without `about`: all whispers.
        channel: ChannelName,
    },
    /// The player is not in the channel any more, and has not left by itself.
    Left {
        /// Name of the channel that is not heard any more.
        channel: ChannelName,
        /// Stable code of the reason.
        code: String,
    },
}

impl Done {
    /// Of a message.
    pub(crate) fn of(message: Message) -> Self {
        Self { message: Some(message), ..Self::default() }
    }
}

impl Answer {
    /// Done, with nothing to give back or something.
    pub fn ok(cid: u64, done: Done) -> Self {
        Self { cid: Some(cid), body: AnswerBody::Ok(Box::new(done)) }
    }

    /// Says why a request is refused; no `cid` where none could be read.
    pub fn error(cid: Option<u64>, error: &ChatError) -> Self {
        let wait_ms = |wait: std::time::Duration| u64::try_from(wait.as_millis()).unwrap_or(0);
        let body = AnswerBody::Error(Refusal {
            code: error.code().to_owned(),
            message: error.to_string(),
            retry_after_ms: error.retry_after().map(wait_ms),
        });
        Self { cid, body }
    }
}

/// The text as it may go on, or not at all: ends trimmed, 1 to 500 characters.
pub(crate) fn sane_text(text: &str) -> Result<String, ChatError> {
    prose::sane(text, &TEXT).ok_or(ChatError::Text)
}

/// Likewise what is said of a message that is reported: at most 1,000 characters.
pub(crate) fn sane_report(text: &str) -> Result<String, ChatError> {
    prose::sane(text, &REPORT).ok_or(ChatError::Text)
}

#[cfg(test)]
mod tests {
    use sortie_control::json::unknown_field;

    use super::*;

    #[test]
    fn texts_are_bounded() {
        assert_eq!(sane_text("  hi\nthere ").unwrap(), "hi\nthere");
        assert!(sane_text(&"🙂".repeat(500)).is_ok());
        for bad in ["", "   ", "a\0b", "\u{1b}[2J", "\u{200b}", &"x\n".repeat(11), &"x".repeat(501)]
        {
            assert_eq!(sane_text(bad), Err(ChatError::Text));
        }
    }

    #[test]
    fn a_request_without_cid_is_read() {
        let request: Request = serde_json::from_str(r#"{"type":"ping"}"#).unwrap();
        assert_eq!(request, Request { cid: 0, body: RequestBody::Ping {} });
    }

    #[test]
    fn a_field_that_chat_does_not_know_is_refused_by_its_name() {
        for (text, name) in [
            (r#"{"cid":1,"type":"ping","pong":1}"#, "`pong`"),
            (r#"{"type":"say","channel":{"kind":"global"},"text":"x","clientid":"y"}"#, "clientid"),
            (r#"{"type":"leave","channel":{"kind":"global","abuot":"x"}}"#, "`abuot`"),
            (r#"{"type":"history","channel":{"kind":"global"},"cursr":"Ig"}"#, "`cursr`"),
        ] {
            let error = serde_json::from_str::<Request>(text).unwrap_err();
            let message = unknown_field(&error).unwrap_or_else(|| panic!("{text}: {error}"));
            assert!(message.contains(name), "{text}: {message}");
        }
    }
}
