//! What a socket asks for, once its player is known.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sortie_control::audit::{self, Entry};
use sortie_control::bus::Rate;
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::Permission;
use sortie_control::who::permissions_of;
use sortie_messages::{message, mute};
use tokio::sync::mpsc::error::TrySendError;
use uuid::Uuid;

use crate::channel::{ChannelName, Place};
use crate::error::ChatError;
use crate::feed;
use crate::hub::Hub;
use crate::lock::lock;
use crate::member::Member;
use crate::said::Said;
use crate::store::{self, Line};
use crate::told::{ChatChange, Told};
use crate::wire::{Answer, Author, Done, Present, Request, RequestBody, sane_report, sane_text};

/// Players listed as present.
const PRESENT_MAX: usize = 100;

type Outcome = Result<Done, ChatError>;

/// Does what is asked for, and answers; what is said is answered when it is stored.
pub(crate) async fn answer(hub: &Arc<Hub>, member: &Arc<Member>, request: Request) {
    let cid = request.cid;
    let outcome = match request.body {
        RequestBody::Say { channel, text, client_id } => {
            match say(hub, member, cid, &channel, &text, client_id).await {
                Ok(None) => return,
                Ok(Some(again)) => Ok(again),
                Err(error) => Err(error),
            }
        }
        other => done(hub, member, other).await,
    };
    member.line.answer(&match outcome {
        Ok(done) => Answer::ok(cid, done),
        Err(error) => Answer::error(Some(cid), &error),
    });
}

async fn done(hub: &Arc<Hub>, member: &Arc<Member>, body: RequestBody) -> Outcome {
    match body {
        RequestBody::Join { channel } => join(hub, member, &channel).await,
        RequestBody::Leave { channel } => leave(hub, member, &channel).await,
        RequestBody::Edit { message_id, text } => edit(hub, member, message_id, &text).await,
        RequestBody::Delete { message_id } => delete(hub, member, message_id).await,
        RequestBody::History { channel, cursor, limit } => {
            take(hub, member, "history", hub.settings.rates.history).await?;
            let page = PageQuery { limit, cursor };
            let page = history(&hub.app.db, member.player, &channel, &page).await?;
            Ok(Done { page: Some(page), ..Done::default() })
        }
        RequestBody::Mute { player_id } => {
            take(hub, member, "mute", hub.settings.rates.mute).await?;
            store::mute(&hub.app.db, member.player, player_id).await?;
            lock(&member.known).mutes.insert(player_id);
            Ok(Done::default())
        }
        RequestBody::Unmute { player_id } => {
            take(hub, member, "mute", hub.settings.rates.mute).await?;
            mute::unmute(&hub.app.db, member.player, player_id).await?;
            lock(&member.known).mutes.remove(&player_id);
            Ok(Done::default())
        }
        RequestBody::Report { message_id, text } => report(hub, member, message_id, &text).await,
        RequestBody::Presence { channel } => presence(hub, member, &channel).await,
        RequestBody::Ping {} => Ok(Done::default()),
        // A second one, or one that comes here: it changes nothing.
        RequestBody::Hello { .. } | RequestBody::Say { .. } => Err(ChatError::Malformed),
    }
}

async fn take(hub: &Hub, member: &Member, what: &str, rate: Rate) -> Result<(), ChatError> {
    let bucket = format!("chat/{what}/{}", member.player);
    hub.app.bus.limiter.take(&bucket, rate).await.map_err(ChatError::RateLimited)
}

async fn join(hub: &Arc<Hub>, member: &Arc<Member>, channel: &ChannelName) -> Outcome {
    take(hub, member, "join", hub.settings.rates.join).await?;
    let place = channel.place(member.player)?;
    let (channel_id, slow_mode_s) = enter(hub, member.player, place).await?;
    let slow_mode = Done { slow_mode_s: Some(slow_mode_s.unsigned_abs()), ..Done::default() };
    if matches!(place, Place::Whisper(..)) || member.room(place).is_some() {
        return Ok(slow_mode); // Whispers are heard by both players without joining.
    }
    if lock(&member.rooms).len() >= hub.settings.channels_max {
        return Err(ChatError::TooManyChannels);
    }
    feed::join(hub, member, place, channel_id, slow_mode_s).await?;
    let place = presence_place(channel_id);
    let ttl = hub.settings.presence_ttl;
    if let Err(error) = hub.app.bus.presence.confirm(&place, member.player, ttl).await {
        tracing::debug!(%error, "presence is not known; the renewal will tell");
    }
    Ok(slow_mode)
}

/// Where the presence of a channel is kept.
pub(crate) fn presence_place(channel_id: Uuid) -> String {
    format!("chat/{channel_id}")
}

/// The channel, for those who may be in it; moderators may be anywhere but in whispers.
async fn enter(hub: &Hub, player: Uuid, place: Place) -> Result<(Uuid, i32), ChatError> {
    let db = &hub.app.db;
    if !store::may_enter(db, place, player).await? {
        // Only existing channels, so that nobody fills the table with inventions.
        let moderates = !matches!(place, Place::Whisper(..)) && is_moderator(hub, player).await?;
        let known = if moderates { store::known_channel(db, place).await? } else { None };
        return known.ok_or(ChatError::NoAccess);
    }
    store::channel(db, place).await
}

async fn is_moderator(hub: &Hub, player: Uuid) -> Result<bool, ChatError> {
    Ok(permissions_of(&hub.app.db, player).await?.allow(Permission::ChatModerate))
}

async fn leave(hub: &Arc<Hub>, member: &Member, channel: &ChannelName) -> Outcome {
    take(hub, member, "join", hub.settings.rates.join).await?;
    let place = channel.place(member.player)?;
    if let Some(channel_id) = hub.leave(member, place) {
        gone(hub, member.player, channel_id).await;
    }
    Ok(Done::default())
}

/// A player is in a channel no more; when nobody can be told, the presence runs out.
pub(crate) async fn gone(hub: &Hub, player: Uuid, channel_id: Uuid) {
    drop(hub.app.bus.presence.leave(&presence_place(channel_id), player).await);
}

async fn say(
    hub: &Arc<Hub>,
    member: &Arc<Member>,
    cid: u64,
    channel: &ChannelName,
    text: &str,
    client_id: Option<Uuid>,
) -> Result<Option<Done>, ChatError> {
    let text = sane_text(text)?;
    take(hub, member, "say", hub.settings.rates.say).await?;
    // Before the rules for new messages: slow mode would refuse what is said already.
    if let Some(client_id) = client_id
        && let Some((place, line)) =
            store::said_before(&hub.app.db, member.player, client_id).await?
    {
        return Ok(Some(Done::of(line.shown(place.name_for(member.player)))));
    }
    let place = channel.place(member.player)?;
    let (channel, slow_mode_s) = match place {
        Place::Whisper(..) => (store::channel(&hub.app.db, place).await?.0, 0),
        _ => {
            let room = member.room(place).ok_or(ChatError::NotJoined)?;
            (room.channel_id, room.slow_mode_s())
        }
    };
    let text = hub.words().apply(&text).ok_or(ChatError::Word)?;
    if slow_mode_s > 0 && !member.is_moderator() {
        let rate = Rate::per(1, Duration::from_secs(u64::from(slow_mode_s)));
        let bucket = format!("chat/slow/{channel}/{}", member.player);
        hub.app.bus.limiter.take(&bucket, rate).await.map_err(ChatError::SlowMode)?;
    }
    if hub.store_hangs.load(Ordering::SeqCst) {
        return Err(ChatError::Unavailable);
    }
    let said = Said { member: Arc::clone(member), cid, channel, place, text, client_id };
    hub.said.try_send(said).map(|()| None).map_err(|error| match error {
        TrySendError::Full(_) => ChatError::Busy,
        TrySendError::Closed(_) => ChatError::Unavailable,
    })
}

/// A message that a player may see.
async fn visible(
    hub: &Hub,
    player: Uuid,
    message_id: Uuid,
) -> Result<(Uuid, Place, Line), ChatError> {
    let (channel, place, line) =
        store::message(&hub.app.db, message_id).await?.ok_or(ChatError::NoMessage)?;
    if line.author == player || store::may_enter(&hub.app.db, place, player).await? {
        return Ok((channel, place, line));
    }
    let may = !matches!(place, Place::Whisper(..)) && is_moderator(hub, player).await?;
    if may { Ok((channel, place, line)) } else { Err(ChatError::NoMessage) }
}

/// Whether this is done as a moderator; an error when it may not be done.
async fn may_change(hub: &Hub, player: Uuid, line: &Line) -> Result<bool, ChatError> {
    if line.author == player {
        return Ok(false);
    }
    if is_moderator(hub, player).await? { Ok(true) } else { Err(ChatError::NotAuthor) }
}

async fn edit(hub: &Arc<Hub>, member: &Member, message_id: Uuid, text: &str) -> Outcome {
    let text = sane_text(text)?;
    take(hub, member, "edit", hub.settings.rates.edit).await?;
    let (channel, place, mut line) = visible(hub, member.player, message_id).await?;
    let moderates = may_change(hub, member.player, &line).await?;
    let before = std::mem::take(&mut line.text);
    line.text = hub.words().apply(&text).ok_or(ChatError::Word)?;
    let mut transaction = hub.app.db.begin().await?;
    let edited_at = message::edit(&mut transaction, message_id, &line.text).await?;
    let edited_at = edited_at.ok_or(ChatError::NoMessage)?;
    line.edited_at = Some(edited_at);
    if moderates {
        let mut entry = Entry::done(member.player, "chat.edit", format!("message:{message_id}"));
        entry.before = Some(about(line.author, &before));
        entry.after = Some(about(line.author, &line.text));
        audit::append(&mut transaction, &entry).await?;
    }
    transaction.commit().await?;
    let message = line.shown(place.name_for(member.player));
    hub.tell_all(vec![(channel, Told { place, change: ChatChange::Edited(line) })]);
    Ok(Done { message: Some(message), ..Done::default() })
}

/// A message in the audit log: never its text, which its author may have erased.
fn about(author: Uuid, text: &str) -> serde_json::Value {
    serde_json::json!({ "author": author, "text": audit::digest(text) })
}

async fn delete(hub: &Arc<Hub>, member: &Member, message_id: Uuid) -> Outcome {
    take(hub, member, "edit", hub.settings.rates.edit).await?;
    let (channel, place, line) = visible(hub, member.player, message_id).await?;
    let moderates = may_change(hub, member.player, &line).await?;
    let mut transaction = hub.app.db.begin().await?;
    if message::delete(&mut transaction, message_id, member.player).await?.is_none() {
        return Err(ChatError::NoMessage);
    }
    if moderates {
        let mut entry = Entry::done(member.player, "chat.delete", format!("message:{message_id}"));
        entry.before = Some(about(line.author, &line.text));
        audit::append(&mut transaction, &entry).await?;
    }
    transaction.commit().await?;
    hub.tell_all(vec![(channel, Told { place, change: ChatChange::Deleted { message_id } })]);
    Ok(Done::default())
}

/// A page of a channel, for those who may see it.
pub(crate) async fn history(
    db: &sqlx::PgPool,
    player: Uuid,
    channel: &ChannelName,
    page: &PageQuery,
) -> Result<Page<crate::wire::Message>, ChatError> {
    let limit = page.limit().map_err(|_| ChatError::Page)?;
    let before: Option<Uuid> = page.after().map_err(|_| ChatError::Page)?;
    let place = channel.place(player)?;
    if !store::may_enter(db, place, player).await? {
        let moderates = permissions_of(db, player).await?.allow(Permission::ChatModerate);
        if matches!(place, Place::Whisper(..)) || !moderates {
            return Err(ChatError::NoAccess);
        }
    }
    let lines = match store::known_channel(db, place).await? {
        Some((channel, _)) => store::history(db, channel, before, limit).await?,
        None => Vec::new(),
    };
    let shown = lines.iter().map(|line| line.shown(place.name_for(player))).collect();
    Ok(Page::new(shown, limit, |message: &crate::wire::Message| message.message_id))
}

async fn report(hub: &Hub, member: &Member, message_id: Uuid, text: &str) -> Outcome {
    take(hub, member, "report", hub.settings.rates.report).await?;
    let text = &sane_report(text)?;
    let (_, place, line) = visible(hub, member.player, message_id).await?;
    let battle = match place {
        Place::Battle(battle) | Place::Team(battle, _) | Place::Squad(battle, ..) => Some(battle),
        _ => None,
    };
    store::report(&hub.app.db, member.player, &line, battle, text).await?;
    Ok(Done::default())
}

async fn presence(hub: &Hub, member: &Member, channel: &ChannelName) -> Outcome {
    take(hub, member, "presence", hub.settings.rates.presence).await?;
    let room = member.room(channel.place(member.player)?).ok_or(ChatError::NotJoined)?;
    let place = presence_place(room.channel_id);
    let listed = hub.app.bus.presence.list(&place, PRESENT_MAX).await;
    let (players, count) = listed.map_err(|_| ChatError::Unavailable)?;
    let players: Vec<Author> = store::names(&hub.app.db, &players).await?;
    Ok(Done { presence: Some(Present { players, count }), ..Done::default() })
}
