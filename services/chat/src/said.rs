//! What was said, until it is stored.

use std::sync::Arc;

use sortie_messages::message as messages;
use sqlx::PgPool;
use uuid::Uuid;

use crate::channel::Place;
use crate::member::Member;
use crate::store::Line;

/// A message that is not stored yet.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) member: Arc<Member>,
    pub(crate) cid: u64,
    pub(crate) channel: Uuid,
    pub(crate) place: Place,
    pub(crate) text: String,
    /// The client's own name for it, by which it is known when it comes again.
    pub(crate) client_id: Option<Uuid>,
}

/// Stores messages, all or none, but those that their authors have sent before; gives the new ones
/// as they stand there, in the order of `said`: times and ids are the database's. `None`: sent
/// before.
pub(crate) async fn store(db: &PgPool, said: &[Said]) -> sqlx::Result<Vec<Option<Line>>> {
    let columns = messages::Said {
        channels: said.iter().map(|said| said.channel).collect(),
        authors: said.iter().map(|said| said.member.player).collect(),
        texts: said.iter().map(|said| said.text.clone()).collect(),
        client_ids: said.iter().map(|said| said.client_id).collect(),
    };
    let stamps = messages::say(db, &columns).await?;
    let mut lines = vec![None; said.len()];
    for stamp in stamps {
        let at = usize::try_from(stamp.at).unwrap_or(usize::MAX);
        if let (Some(line), Some(said)) = (lines.get_mut(at), said.get(at)) {
            *line = Some(Line {
                message_id: stamp.message_id,
                author: said.member.player,
                name: said.member.name(),
                text: said.text.clone(),
                said_at: stamp.said_at,
                edited_at: None,
                is_deleted: false,
            });
        }
    }
    Ok(lines)
}
