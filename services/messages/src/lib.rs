//! What is said in chat: channels, messages, and who does not want to read whom.
//!
//! This crate owns `chat_channel`, `chat_whisper`, `chat_message` and `chat_mute`; a test in
//! `infra/tidy` sees to it that nobody else writes them. Chat stores here what its sockets bring,
//! and staff delete here what should not have been said.
//!
//! What is deliberately absent: sockets, the filter of words, how much somebody may say, who may be
//! in which channel, and the reports of messages.

pub mod channel;
pub mod message;
pub mod mute;

use sqlx::PgConnection;
use uuid::Uuid;

/// Forgets what a player said, and whom it muted or who muted it; `blank` stands where a text was.
///
/// # Errors
/// The database failed.
pub async fn erase(db: &mut PgConnection, player_id: Uuid, blank: &str) -> sqlx::Result<()> {
    message::erase(&mut *db, player_id, blank).await?;
    mute::erase(db, player_id).await
}
