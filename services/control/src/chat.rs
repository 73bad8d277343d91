//! What is told about channels of chat between nodes: chat tells it to itself, and staff who delete
//! a message tell it to chat. Both use this form, which chat hears.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What nodes send each other. Without changes: something could not be told, read Postgres.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parcel<P, L> {
    /// Who sends it, so that it does not hear itself.
    pub node: Uuid,
    /// In order, all of one topic.
    pub changes: Vec<Told<P, L>>,
}

/// Something done in a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told<P, L> {
    /// Kind and what it is about, as the table `chat_channel` has them.
    pub place: P,
    /// What was said, edited or deleted there.
    pub change: ChatChange<L>,
}

/// What was done; `L` is a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatChange<L> {
    /// A new message.
    Said(L),
    /// One that has another text now.
    Edited(L),
    /// One that nobody sees any more.
    Deleted {
        /// Id of the message.
        message_id: Uuid,
    },
}

/// The topic of a channel; `None`: of all whispers.
pub fn topic(channel: Option<Uuid>) -> String {
    match channel {
        Some(channel) => format!("chat/{channel}"),
        None => "chat/whispers".to_owned(),
    }
}
