//! Between the nodes: what is told over the bus, and how a gap is closed from Postgres.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sortie_control::bus::{Heard, Subscription};
use sortie_control::listening::{DeafError, Hearing};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::channel::{ChannelName, Kind, Place};
use crate::hub::Hub;
use crate::room::Room;
use crate::store::{self, Line, MISSED_MAX};
use crate::wire::ChannelEvent;

/// How long until something that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a node that ends tries to tell others what they lack.
const LAST_TRY: Duration = Duration::from_secs(2);

/// Topics whose readers may lack something, at most; more are forgotten until their next gap.
const BEHIND_MAX: usize = 10_000;

/// Something done in a channel.
pub(crate) type Told = sortie_control::chat::Told<Place, Line>;

/// What was done.
pub(crate) type Deed = sortie_control::chat::Deed<Line>;

/// What nodes send each other.
type Parcel = sortie_control::chat::Parcel<Place, Line>;

/// Whose words they are; who muted this one does not read them.
pub(crate) fn author_of(deed: &Deed) -> Option<Uuid> {
    match deed {
        Deed::Said(line) | Deed::Edited(line) => Some(line.author),
        Deed::Deleted { .. } => None,
    }
}

/// As one reader sees it.
pub(crate) fn event_for(told: &Told, reader: Uuid) -> ChannelEvent {
    let channel = told.place.name_for(reader);
    match &told.deed {
        Deed::Said(line) => ChannelEvent::Message { message: line.shown(channel) },
        Deed::Edited(line) => ChannelEvent::Edited { message: line.shown(channel) },
        Deed::Deleted { message_id } => ChannelEvent::Deleted { channel, message_id: *message_id },
    }
}

/// Deeds for one topic, to be told to the other nodes.
#[derive(Debug)]
pub(crate) struct ForOthers {
    pub(crate) topic: String,
    pub(crate) deeds: Vec<Told>,
}

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
    hub.take_behind().into_iter().map(|topic| ForOthers { topic, deeds: Vec::new() })
}

/// The topic, when nobody could be told.
async fn publish(hub: &Hub, ForOthers { topic, deeds }: ForOthers) -> Option<String> {
    let parcel = Parcel { node: hub.node, deeds };
    let body = serde_json::to_vec(&parcel).expect("chat's own types serialise");
    let told = hub.plane.bus.topics.publish(&topic, Bytes::from(body)).await;
    told.is_err().then_some(topic)
}

/// Hands a room what other nodes tell, until the bus ends or the room is left.
pub(crate) async fn hear(hub: Arc<Hub>, room: Arc<Room>, mut heard: Subscription) {
    while let Some(heard) = heard.next().await {
        match heard {
            Heard::Message(body) => match serde_json::from_slice::<Parcel>(&body) {
                Ok(parcel) if parcel.node == hub.node => {}
                Ok(parcel) if parcel.deeds.is_empty() => close_gap(&hub, &room).await,
                Ok(parcel) => parcel.deeds.iter().for_each(|told| hub.tell(&room, told)),
                Err(error) => tracing::warn!(%error, "a parcel of chat cannot be read"),
            },
            Heard::Gap => close_gap(&hub, &room).await,
        }
    }
}

/// Hears all whispers until the bus ends: who is in one is known by the player, not by joining.
pub(crate) async fn hear_whispers(hub: Arc<Hub>, hearing: Hearing) -> Result<(), DeafError> {
    let room = Arc::clone(&hub.whispers);
    let heard = hub.plane.bus.topics.subscribe(&room.topic()).await?;
    if room.ready.initialized() {
        close_gap(&hub, &room).await;
    } else {
        // Nothing was whispered to anybody here before there is a database.
        room.caught_up(hub.plane.clock.now(&hub.plane.db).await?);
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
            let now = hub.plane.clock.now(&hub.plane.db).await?;
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
    let (db, since) = (&hub.plane.db, room.missed_since());
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
            missed.push(Told { place, deed: Deed::Said(line.clone()) });
        }
        if is_deleted {
            missed.push(Told { place, deed: Deed::Deleted { message_id } });
        } else if was_edited {
            missed.push(Told { place, deed: Deed::Edited(line) });
        }
    }
    Ok(Some(missed))
}

/// Deeds by topic, in order.
pub(crate) fn by_topic(deeds: Vec<(Uuid, Told)>) -> Vec<ForOthers> {
    let mut parcels: Vec<ForOthers> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (channel, told) in deeds {
        let topic = crate::hub::topic(channel, told.place);
        let at = *places.entry(topic.clone()).or_insert_with(|| {
            parcels.push(ForOthers { topic, deeds: Vec::new() });
            parcels.len() - 1
        });
        parcels[at].deeds.push(told);
    }
    parcels
}

#[cfg(test)]
mod tests {
    use sortie_control::chat;

    use super::*;

    #[test]
    fn what_staff_tell_is_read_as_what_nodes_tell() {
        let (node, message_id) = (Uuid::now_v7(), Uuid::now_v7());
        let deed = chat::Deed::<()>::Deleted { message_id };
        let told = chat::Told { place: ("party", node.to_string()), deed };
        let parcel = serde_json::to_value(chat::Parcel { node, deeds: vec![told] }).unwrap();
        let read: Parcel = serde_json::from_value(parcel).unwrap();
        let told = Told { place: Place::Party(node), deed: Deed::Deleted { message_id } };
        assert_eq!(read, Parcel { node, deeds: vec![told] });
    }
}
