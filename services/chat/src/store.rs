//! What chat keeps in Postgres.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sortie_control::error::broken_constraint;
use sortie_control::permission::{Permission, Permissions};
use sortie_messages::{channel as channels, mute as mutes};
use sortie_sanctions::report::{self as reports, OfMessage};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::channel::{ChannelName, Place};
use crate::error::ChatError;
use crate::wire::{Author, Message};

/// Players that one player may have muted.
const MUTES_MAX: i64 = 1_000;

/// Messages that are re-read after a gap; more, and readers are told to read the history.
pub(crate) const MISSED_MAX: i64 = 500;

/// A message as the database and other nodes know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) message_id: Uuid,
    pub(crate) author: Uuid,
    pub(crate) name: String,
    pub(crate) text: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) said_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) edited_at: Option<OffsetDateTime>,
    pub(crate) is_deleted: bool,
}

impl Line {
    pub(crate) fn shown(&self, channel: ChannelName) -> Message {
        let text = if self.is_deleted { String::new() } else { self.text.clone() };
        Message {
            message_id: self.message_id,
            channel,
            author: Author { player_id: self.author, name: self.name.clone() },
            text,
            said_at: self.said_at,
            edited_at: self.edited_at,
            is_deleted: self.is_deleted,
        }
    }
}

/// The least id of a time: ids begin with their milliseconds.
pub(crate) fn floor_of(time: OffsetDateTime) -> Uuid {
    let ms = u128::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    Uuid::from_u128(ms << 80)
}

/// Whether a player may be in a place.
pub(crate) async fn may_enter(db: &PgPool, place: Place, player: Uuid) -> sqlx::Result<bool> {
    match place {
        Place::Global => Ok(true),
        Place::Battle(battle) => Ok(team_of(db, battle, player).await?.is_some()),
        Place::Team(battle, team) | Place::Squad(battle, team, _) => {
            Ok(team_of(db, battle, player).await? == Some(team))
        }
        Place::Party(party) => {
            let query = sqlx::query_scalar!(
                r#"select exists(select from party_member
                   where player_id = $1 and party_id = $2) as "is!""#,
                player,
                party
            );
            query.fetch_one(db).await
        }
        Place::Whisper(low, high) => Ok(player == low || player == high),
    }
}

async fn team_of(db: &PgPool, battle: Uuid, player: Uuid) -> sqlx::Result<Option<i16>> {
    let query = sqlx::query_scalar!(
        "select team from battle_player where battle_id = $1 and player_id = $2",
        battle,
        player
    );
    query.fetch_optional(db).await
}

/// A channel's id and slow mode; makes the channel when it is not there.
pub(crate) async fn channel(db: &PgPool, place: Place) -> Result<(Uuid, i32), ChatError> {
    if let Some(found) = known_channel(db, place).await? {
        return Ok(found);
    }
    if let Place::Whisper(low, high) = place {
        let both = sqlx::query_scalar!(
            r#"select count(*) as "count!" from player
               where player_id in ($1, $2) and erased_at is null"#,
            low,
            high
        );
        if both.fetch_one(db).await? != 2 {
            return Err(ChatError::NoPlayer);
        }
    }
    let (kind, about) = (place.kind().name(), place.about());
    let mut transaction = db.begin().await?;
    channels::make(&mut transaction, kind, &about).await?;
    if let Place::Whisper(low, high) = place {
        channels::note_whisperers(&mut transaction, &[low, high], kind, &about).await?;
    }
    transaction.commit().await?;
    known_channel(db, place).await?.ok_or(ChatError::Channel)
}

/// A channel's id and slow mode, if it is there.
pub(crate) async fn known_channel(db: &PgPool, place: Place) -> sqlx::Result<Option<(Uuid, i32)>> {
    let row = sqlx::query!(
        "select channel_id, slow_mode_s from chat_channel where kind = $1 and about = $2",
        place.kind().name(),
        place.about()
    );
    Ok(row.fetch_optional(db).await?.map(|row| (row.channel_id, row.slow_mode_s)))
}

/// A message that its author has sent before.
pub(crate) async fn said_before(
    db: &PgPool,
    author: Uuid,
    client_id: Uuid,
) -> sqlx::Result<Option<(Place, Line)>> {
    let row = sqlx::query!(
        r#"select message_id, author, name, text, said_at, edited_at,
               deleted_at is not null as "is_deleted!", kind, chat_channel.about
           from chat_message join player on player_id = author join chat_channel using (channel_id)
           where author = $1 and client_id = $2"#,
        author,
        client_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|row| {
        let line = Line {
            message_id: row.message_id,
            author: row.author,
            name: row.name,
            text: row.text,
            said_at: row.said_at,
            edited_at: row.edited_at,
            is_deleted: row.is_deleted,
        };
        Some((Place::kept(&row.kind, &row.about)?, line))
    }))
}

/// A page of a channel, newest first; one row more than `limit` says that there is another.
pub(crate) async fn history(
    db: &PgPool,
    channel: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Line>> {
    let query = sqlx::query_as!(
        Line,
        r#"select message_id, author, name, text, said_at, edited_at,
               deleted_at is not null as "is_deleted!"
           from chat_message join player on player_id = author
           where channel_id = $1 and ($2::uuid is null or message_id < $2)
           order by message_id desc limit $3"#,
        channel,
        before,
        limit + 1
    );
    query.fetch_all(db).await
}

/// What was said in a channel after `since`, or changed since then within an hour of being said.
pub(crate) async fn missed(
    db: &PgPool,
    channel: Uuid,
    since: OffsetDateTime,
) -> sqlx::Result<Vec<Line>> {
    let query = sqlx::query_as!(
        Line,
        r#"select message_id, author, name, text, said_at, edited_at,
               deleted_at is not null as "is_deleted!"
           from chat_message join player on player_id = author
           where channel_id = $1 and message_id >= $2
               and (message_id >= $3 or edited_at >= $4 or deleted_at >= $4)
           order by message_id limit $5"#,
        channel,
        floor_of(since - Duration::hours(1)),
        floor_of(since),
        since,
        MISSED_MAX + 1
    );
    query.fetch_all(db).await
}

/// As [`missed`], of all whispers of some players.
pub(crate) async fn missed_whispers(
    db: &PgPool,
    players: &[Uuid],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<(Place, Line)>> {
    let rows = sqlx::query!(
        r#"select message_id, author, name, text, said_at, edited_at,
               deleted_at is not null as "is_deleted!", kind, chat_channel.about
           from chat_message join player on player_id = author join chat_channel using (channel_id)
           where channel_id in (select channel_id from chat_whisper where player_id = any($1))
               and message_id >= $2
               and (message_id >= $3 or edited_at >= $4 or deleted_at >= $4)
           order by message_id limit $5"#,
        players,
        floor_of(since - Duration::hours(1)),
        floor_of(since),
        since,
        MISSED_MAX + 1
    )
    .fetch_all(db)
    .await?;
    let placed = rows.into_iter().filter_map(|row| {
        let line = Line {
            message_id: row.message_id,
            author: row.author,
            name: row.name,
            text: row.text,
            said_at: row.said_at,
            edited_at: row.edited_at,
            is_deleted: row.is_deleted,
        };
        Some((Place::kept(&row.kind, &row.about)?, line))
    });
    Ok(placed.collect())
}

/// Ids of what was said in a channel since a time.
pub(crate) async fn ids_since(
    db: &PgPool,
    channel: Uuid,
    since: OffsetDateTime,
) -> sqlx::Result<Vec<Uuid>> {
    let query = sqlx::query_scalar!(
        "select message_id from chat_message where channel_id = $1 and message_id >= $2",
        channel,
        floor_of(since)
    );
    query.fetch_all(db).await
}

/// A message that was not deleted, with its channel.
pub(crate) async fn message(
    db: &PgPool,
    message_id: Uuid,
) -> sqlx::Result<Option<(Uuid, Place, Line)>> {
    let row = sqlx::query!(
        "select message_id, channel_id, author, name, text, said_at, edited_at, kind,
             chat_channel.about
         from chat_message join player on player_id = author join chat_channel using (channel_id)
         where message_id = $1 and deleted_at is null",
        message_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|row| {
        let line = Line {
            message_id,
            author: row.author,
            name: row.name,
            text: row.text,
            said_at: row.said_at,
            edited_at: row.edited_at,
            is_deleted: false,
        };
        Some((row.channel_id, Place::kept(&row.kind, &row.about)?, line))
    }))
}

/// Mutes somebody; again: no change.
pub(crate) async fn mute(db: &PgPool, player: Uuid, muted: Uuid) -> Result<(), ChatError> {
    let done =
        mutes::mute(db, player, muted, MUTES_MAX).await.map_err(
            |error| match broken_constraint(&error) {
                Some("chat_mute_other") => ChatError::Yourself,
                _ => error.into(),
            },
        )?;
    if done {
        return Ok(());
    }
    let query = sqlx::query_scalar!(
        r#"select exists(select from player where player_id = $1) as "is!""#,
        muted
    );
    let is_known = query.fetch_one(db).await?;
    Err(if is_known { ChatError::MutesFull } else { ChatError::NoPlayer })
}

/// Reports a message to the moderators.
pub(crate) async fn report(
    db: &PgPool,
    reporter: Uuid,
    line: &Line,
    battle: Option<Uuid>,
    text: &str,
) -> Result<(), ChatError> {
    let report = OfMessage {
        reporter,
        accused: line.author,
        text,
        message_id: line.message_id,
        battle_id: battle,
    };
    let done = reports::message(db, report).await;
    done.map_err(|error| match broken_constraint(&error) {
        Some("report_other") => ChatError::Yourself,
        Some("report_once") => ChatError::ReportedAlready,
        _ => error.into(),
    })
}

/// Whether a player is banned from chat, and from everything.
pub(crate) struct Standing {
    pub(crate) is_banned: bool,
    pub(crate) is_out: bool,
}

/// How a player stands now; `None`: there is no such player.
pub(crate) async fn standing(db: &PgPool, player: Uuid) -> sqlx::Result<Option<Standing>> {
    let query = sqlx::query_as!(
        Standing,
        r#"select exists(select from ban b where b.player_id = $1 and scope = 'chat'
                   and lifted_at is null and (expires_at is null or expires_at > now()))
                   as "is_banned!",
               erased_at is not null
                   or exists(select from ban b where b.player_id = $1 and scope = 'login'
                   and lifted_at is null and (expires_at is null or expires_at > now()))
                   as "is_out!"
           from player where player_id = $1"#,
        player
    );
    query.fetch_optional(db).await
}

/// One of the players asked for who may be here no more.
pub(crate) struct Fallen {
    pub(crate) player_id: Uuid,
    pub(crate) session_id: Uuid,
    /// Else it is only banned from chat.
    pub(crate) is_out: bool,
}

/// Which of some logins have ended, or belong to players who are banned. Of an erased player, no
/// login is left.
pub(crate) async fn fallen(
    db: &PgPool,
    players: &[Uuid],
    sessions: &[Uuid],
) -> sqlx::Result<Vec<Fallen>> {
    let query = sqlx::query_as!(
        Fallen,
        r#"with here as (
               select player_id, session_id,
                   not exists(select from personal.login_session l
                       where l.session_id = a.session_id and revoked_at is null
                           and expires_at > now())
                   or exists(select from ban b where b.player_id = a.player_id
                       and scope = 'login' and lifted_at is null
                       and (expires_at is null or expires_at > now())) as is_out,
                   exists(select from ban b where b.player_id = a.player_id
                       and scope = 'chat' and lifted_at is null
                       and (expires_at is null or expires_at > now())) as is_banned
               from unnest($1::uuid[], $2::uuid[]) as a (player_id, session_id))
           select player_id as "player_id!", session_id as "session_id!", is_out as "is_out!"
           from here where is_out or is_banned"#,
        players,
        sessions
    );
    query.fetch_all(db).await
}

/// What a socket keeps of its player.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) is_moderator: bool,
    /// Whom the player does not want to read.
    pub(crate) mutes: HashSet<Uuid>,
}

/// What sockets keep of their players, as it is now. Players who are no more are left out.
pub(crate) async fn known(db: &PgPool, players: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Known>> {
    let rows = sqlx::query!(
        r#"select player_id, name,
               array(select distinct unnest(permissions) from player_role r join role using (role)
                   where r.player_id = p.player_id) as "permissions!",
               array(select muted from chat_mute m where m.player_id = p.player_id) as "mutes!"
           from player p where player_id = any($1)"#,
        players
    )
    .fetch_all(db)
    .await?;
    let known = rows.into_iter().map(|row| {
        let is_moderator = Permissions::new(row.permissions).allow(Permission::ChatModerate);
        let mutes = row.mutes.into_iter().collect();
        (row.player_id, Known { name: row.name, is_moderator, mutes })
    });
    Ok(known.collect())
}

/// A player in a channel of a party or battle.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sitting {
    pub(crate) player: Uuid,
    pub(crate) party: Option<Uuid>,
    pub(crate) battle: Option<Uuid>,
    /// Of the battle; `None`: either.
    pub(crate) team: Option<i16>,
}

/// The places in `sitting` of those who may not be there.
pub(crate) async fn strangers(db: &PgPool, sitting: &[Sitting]) -> sqlx::Result<Vec<usize>> {
    let players: Vec<Uuid> = sitting.iter().map(|it| it.player).collect();
    let parties: Vec<Option<Uuid>> = sitting.iter().map(|it| it.party).collect();
    let battles: Vec<Option<Uuid>> = sitting.iter().map(|it| it.battle).collect();
    let teams: Vec<Option<i16>> = sitting.iter().map(|it| it.team).collect();
    let query = sqlx::query_scalar!(
        r#"select place - 1 as "at!"
           from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[])
               with ordinality as a (player_id, party_id, battle_id, team, place)
           where not exists(select from party_member m
                   where m.player_id = a.player_id and m.party_id = a.party_id)
               and not exists(select from battle_player b
                   where b.player_id = a.player_id and b.battle_id = a.battle_id
                       and b.team = coalesce(a.team, b.team))"#,
        &players,
        &parties as &[Option<Uuid>],
        &battles as &[Option<Uuid>],
        &teams as &[Option<i16>]
    );
    let places = query.fetch_all(db).await?;
    Ok(places.into_iter().filter_map(|at| usize::try_from(at).ok()).collect())
}

/// Names of players.
pub(crate) async fn names(db: &PgPool, players: &[Uuid]) -> sqlx::Result<Vec<Author>> {
    let query = sqlx::query_as!(
        Author,
        "select player_id, name from player where player_id = any($1) order by name",
        players
    );
    query.fetch_all(db).await
}

/// Slow modes of channels.
pub(crate) async fn slow_modes(db: &PgPool, channels: &[Uuid]) -> sqlx::Result<Vec<(Uuid, i32)>> {
    let rows = sqlx::query!(
        "select channel_id, slow_mode_s from chat_channel where channel_id = any($1)",
        channels
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (row.channel_id, row.slow_mode_s)).collect())
}
