//! Between the nodes: what is told over the bus, and how a gap is closed from Postgres.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sortie_control::bus::{Heard, Subscription};
use sortie_control::listening::{DeafError, Hearing};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::channel::{ChannelName, Kind, Place};
use crate::error::ChatError;
use crate::hub::Hub;
use crate::lock::lock;
use crate::member::Member;
use crate::room::{OVERLAP, Room};
use crate::store::{self, Line, MISSED_MAX};
use crate::told::{ChatChange, ForOthers, Parcel, Told};
use crate::wire::ChannelEvent;

/// How long until something that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a node that ends tries to tell others what they lack.
const LAST_TRY: Duration = Duration::from_secs(2);

/// Topics whose readers may lack something, at most; more are forgotten until their next gap.
const BEHIND_MAX: usize = 10_000;

/// Tells the other nodes, in order; what they could not be told, they are told to read. Ends once
/// everything that was said is `written`, and told as far as the bus is there: what is stored in
/// the last moments of a node is heard on the others, too.
pub(crate) async fn publish_all(
    hub: Arc<Hub>,
    mut told: mpsc::Receiver<Vec<ForOthers>>,
    mut written: oneshot::Receiver<()>,
) {
    let mut last_try = tokio::time::Instant::now();
    let mut is_last = false;
    loop {
        let parcels = tokio::select! {
            parcels = told.recv() => parcels,
            () = tokio::time::sleep_until(last_try + AGAIN) => Some(Vec::new()),
            _ = &mut written, if !is_last => {
                is_last = true;
                // What is in it already still comes out.
                told.close();
                continue;
            }
        };
        let Some(mut parcels) = parcels else { break };
        if last_try.elapsed() >= AGAIN {
            last_try = tokio::time::Instant::now();
            parcels.extend(behind(&hub));
        }
        // Each is sent before any is waited for, and one channel is in one parcel.
        let failed = join_all(parcels.into_iter().map(|parcel| publish(&hub, parcel))).await;
        hub.note_behind(failed.into_iter().flatten(), BEHIND_MAX);
    }
    let last = join_all(behind(&hub).map(|parcel| publish(&hub, parcel)));
    if tokio::time::timeout(LAST_TRY, last).await.is_err() {
        tracing::warn!("other nodes were not told to read what this one could not tell");
    }
}

/// For topics whose readers may lack something: they are to read Postgres.
fn behind(hub: &Hub) -> impl Iterator<Item = ForOthers> + use<> {
    hub.take_behind().into_iter().map(|topic| ForOthers { topic, changes: Vec::new() })
}

/// The topic, when nobody could be told.
async fn publish(hub: &Hub, ForOthers { topic, changes }: ForOthers) -> Option<String> {
    let parcel = Parcel { node: hub.node, changes };
    let body = serde_json::to_vec(&parcel).expect("chat's own types serialise");
    let told = hub.app.bus.topics.publish(&topic, Bytes::from(body)).await;
    told.is_err().then_some(topic)
}

/// Puts a socket into a channel's room. Whoever comes first to a room waits until it hears the
/// other nodes.
///
/// # Errors
/// Bus or database are away; the socket is not in the room then.
pub(crate) async fn join(
    hub: &Arc<Hub>,
    member: &Member,
    place: Place,
    channel_id: Uuid,
    slow_mode_s: i32,
) -> Result<(), ChatError> {
    let room = hub.seat(member, place, channel_id, slow_mode_s);
    let ready = room.ready.get_or_try_init(|| prepare(hub, &room)).await;
    if let Err(error) = ready {
        hub.leave(member, place);
        return Err(error);
    }
    Ok(())
}

/// Subscribes first and looks into the store then, so that nothing falls between.
async fn prepare(hub: &Arc<Hub>, room: &Arc<Room>) -> Result<(), ChatError> {
    let heard = hub.app.bus.topics.subscribe(&room.topic()).await;
    let heard = heard.map_err(|_| ChatError::Unavailable)?;
    let now = hub.app.clock.now(&hub.app.db).await?;
    let since = now - OVERLAP - OVERLAP;
    room.skip(store::ids_since(&hub.app.db, room.channel_id, since).await?);
    room.caught_up(now);
    let feed = hear(Arc::clone(hub), Arc::clone(room), heard);
    let feed = hub.app.tasks.spawn("chat_room", feed);
    *lock(&room.feed) = Some(feed.abort_handle());
    Ok(())
}

/// Hands a room what other nodes tell, until the bus ends or the room is left.
async fn hear(hub: Arc<Hub>, room: Arc<Room>, mut heard: Subscription) {
    while let Some(heard) = heard.next().await {
        match heard {
            Heard::Message(body) => match serde_json::from_slice::<Parcel>(&body) {
                Ok(parcel) if parcel.node == hub.node => {}
                Ok(parcel) if parcel.changes.is_empty() => close_gap(&hub, &room).await,
                Ok(parcel) => parcel.changes.iter().for_each(|told| hub.tell(&room, told)),
                Err(error) => tracing::warn!(%error, "a parcel of chat cannot be read"),
            },
            Heard::Gap => close_gap(&hub, &room).await,
        }
    }
}

/// Hears all whispers until the bus ends: who is in one is known by the player, not by joining.
pub(crate) async fn hear_whispers(hub: Arc<Hub>, hearing: Hearing) -> Result<(), DeafError> {
    let room = Arc::clone(&hub.whispers);
    let heard = hub.app.bus.topics.subscribe(&room.topic()).await?;
    if room.ready.initialized() {
        close_gap(&hub, &room).await;
    } else {
        // Nothing was whispered to anybody here before there is a database.
        room.caught_up(hub.app.clock.now(&hub.app.db).await?);
        // An error: it is set.
        drop(room.ready.set(()));
    }
    hearing.works();
    hear(hub, room, heard).await;
    Ok(())
}

/// Reads what may have been missed, again and again until the database answers.
async fn close_gap(hub: &Hub, room: &Room) {
    metrics::counter!("sortie_chat_gaps_total").increment(1);
    loop {
        // A reconnect makes all rooms ask at once: the pool is for others, too.
        let _turn = hub.gap_turns.acquire().await;
        let read = async {
            let now = hub.app.clock.now(&hub.app.db).await?;
            Ok::<_, sqlx::Error>((now, read_missed(hub, room).await?))
        };
        match read.await {
            Ok((now, Some(missed))) => {
                for told in &missed {
                    hub.tell(room, told);
                }
                room.caught_up(now);
                return;
            }
            Ok((now, None)) => {
                let whispers = ChannelName { kind: Kind::Whisper, about: String::new() };
                let channel = room.place.map_or(whispers, |place| place.name_for(Uuid::nil()));
                let event = ChannelEvent::Gap { channel };
                match room.place {
                    Some(_) => room.announce(&event),
                    None => hub.announce(&event),
                }
                room.caught_up(now);
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "a gap cannot be closed yet");
                drop(_turn);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// `None`: more than can be told.
async fn read_missed(hub: &Hub, room: &Room) -> sqlx::Result<Option<Vec<Told>>> {
    let (db, since) = (&hub.app.db, room.missed_since());
    let lines: Vec<(Place, Line)> = match room.place {
        Some(place) => {
            let lines = store::missed(db, room.channel_id, since).await?;
            lines.into_iter().map(|line| (place, line)).collect()
        }
        None => store::missed_whispers(db, &hub.players(), since).await?,
    };
    if lines.len() as i64 > MISSED_MAX {
        return Ok(None);
    }
    let is_new = store::floor_of(since);
    let mut missed = Vec::with_capacity(lines.len());
    for (place, line) in lines {
        let (message_id, is_deleted) = (line.message_id, line.is_deleted);
        let was_edited = line.edited_at.is_some_and(|at| at >= since);
        if message_id >= is_new && !is_deleted {
            missed.push(Told { place, change: ChatChange::Said(line.clone()) });
        }
        if is_deleted {
            missed.push(Told { place, change: ChatChange::Deleted { message_id } });
        } else if was_edited {
            missed.push(Told { place, change: ChatChange::Edited(line) });
        }
    }
    Ok(Some(missed))
}
