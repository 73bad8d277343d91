//! Messages: said, edited, deleted, forgotten. Their times and ids are the database's.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

/// Messages that are said together, a column each.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Channel of each message.
    pub channels: Vec<Uuid>,
    /// Player who said each message.
    pub authors: Vec<Uuid>,
    /// Text of each message.
    pub texts: Vec<String>,
    /// What tells a message that comes again from a new one, if its author chose something.
    pub client_ids: Vec<Option<Uuid>>,
}

/// What the database gives to a message.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Which of those that were said together.
    pub at: i64,
    /// Id of the message; ids are in the order of time.
    pub message_id: Uuid,
    /// When it was said, by the database's clock.
    pub said_at: OffsetDateTime,
}

/// Stores messages, all or none, but those that their authors have sent before; gives the stamps of
/// the new ones.
///
/// # Errors
/// The database failed.
pub async fn say(db: impl PgExecutor<'_>, said: &Said) -> sqlx::Result<Vec<Stamp>> {
    let noise: Vec<Uuid> = said.texts.iter().map(|_| Uuid::new_v4()).collect();
    sqlx::query_as!(
        Stamp,
        r#"with began as materialized (select clock_timestamp() as at),
         numbered as materialized (
             select place, channel, author, text, client_id,
                 uuid_at(at + place * interval '1 microsecond', noise) as message_id,
                 at + place * interval '1 microsecond' as said_at
             from began, unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[])
                 with ordinality as said (channel, author, text, noise, client_id, place)
         ), stored as (
             insert into chat_message (message_id, channel_id, author, text, said_at, client_id)
             select message_id, channel, author, text, said_at, client_id from numbered
             order by place
             on conflict (author, client_id) where client_id is not null do nothing
             returning message_id
         )
         select place - 1 as "at!", message_id as "message_id!", said_at as "said_at!"
         from numbered join stored using (message_id)"#,
        &said.channels,
        &said.authors,
        &said.texts,
        &noise,
        &said.client_ids as &[Option<Uuid>]
    )
    .fetch_all(db)
    .await
}

/// Changes the text of a message; gives when that was. `None`: it was deleted, or never there.
///
/// # Errors
/// The database failed.
pub async fn edit(
    db: &mut PgConnection,
    message_id: Uuid,
    text: &str,
) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        r#"update chat_message set text = $2, edited_at = clock_timestamp()
         where message_id = $1 and deleted_at is null returning edited_at as "edited_at!""#,
        message_id,
        text
    )
    .fetch_optional(db)
    .await
}

/// A message that was deleted.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// Where it stood.
    pub channel_id: Uuid,
    /// The channel's kind.
    pub kind: String,
    /// What the channel is about.
    pub about: String,
    /// Who wrote it.
    pub author: Uuid,
}

/// Deletes a message: nobody sees it any more. `None`: it was deleted before, or never there.
///
/// # Errors
/// The database failed.
pub async fn delete(
    db: &mut PgConnection,
    message_id: Uuid,
    deleted_by: Uuid,
) -> sqlx::Result<Option<Deleted>> {
    sqlx::query_as!(
        Deleted,
        "update chat_message m set deleted_at = now(), deleted_by = $2
         from chat_channel c
         where message_id = $1 and deleted_at is null and c.channel_id = m.channel_id
         returning c.channel_id, c.kind, c.about, m.author",
        message_id,
        deleted_by
    )
    .fetch_optional(db)
    .await
}

/// Forgets messages with ids before this one that were not reported, so many at most; gives how
/// many. Nodes may do it at once.
///
/// # Errors
/// The database failed.
pub async fn forget(db: impl PgExecutor<'_>, before: Uuid, most: i64) -> sqlx::Result<u64> {
    // Ids begin with their time: the primary key finds the oldest.
    let forgotten = sqlx::query!(
        "delete from chat_message where message_id in (
                 select message_id from chat_message old where message_id < $1
                     and not exists (select from report where report.message_id = old.message_id)
                 order by message_id limit $2 for update skip locked)",
        before,
        most
    )
    .execute(db)
    .await?;
    Ok(forgotten.rows_affected())
}

pub(crate) async fn erase(db: &mut PgConnection, player_id: Uuid, blank: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update chat_message set text = $2, deleted_at = coalesce(deleted_at, now())
            where author = $1",
        player_id,
        blank,
    )
    .execute(db)
    .await?;
    Ok(())
}
