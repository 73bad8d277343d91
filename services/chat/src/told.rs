//! What is done in channels, as nodes tell each other and their sockets.

use std::collections::HashMap;

use sortie_control::chat;
use uuid::Uuid;

use crate::channel::Place;
use crate::store::Line;
use crate::wire::ChannelEvent;

/// Something done in a channel.
pub(crate) type Told = chat::Told<Place, Line>;

/// What was done.
pub(crate) type ChatChange = chat::ChatChange<Line>;

/// What nodes send each other.
pub(crate) type Parcel = chat::Parcel<Place, Line>;

/// Whose words they are; who muted this one does not read them.
pub(crate) fn author_of(change: &ChatChange) -> Option<Uuid> {
    match change {
        ChatChange::Said(line) | ChatChange::Edited(line) => Some(line.author),
        ChatChange::Deleted { .. } => None,
    }
}

/// As one reader sees it.
pub(crate) fn event_for(told: &Told, reader: Uuid) -> ChannelEvent {
    let channel = told.place.name_for(reader);
    match &told.change {
        ChatChange::Said(line) => ChannelEvent::Message { message: line.shown(channel) },
        ChatChange::Edited(line) => ChannelEvent::Edited { message: line.shown(channel) },
        ChatChange::Deleted { message_id } => {
            ChannelEvent::Deleted { channel, message_id: *message_id }
        }
    }
}

/// Changes for one topic, to be told to the other nodes.
#[derive(Debug)]
pub(crate) struct ForOthers {
    pub(crate) topic: String,
    pub(crate) changes: Vec<Told>,
}

/// Changes by topic, in order.
pub(crate) fn by_topic(changes: Vec<(Uuid, Told)>) -> Vec<ForOthers> {
    let mut parcels: Vec<ForOthers> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (channel, told) in changes {
        let topic = topic(channel, told.place);
        let at = *places.entry(topic.clone()).or_insert_with(|| {
            parcels.push(ForOthers { topic, changes: Vec::new() });
            parcels.len() - 1
        });
        parcels[at].changes.push(told);
    }
    parcels
}

/// The topic of a channel.
fn topic(channel: Uuid, place: Place) -> String {
    chat::topic(if matches!(place, Place::Whisper(..)) { None } else { Some(channel) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_staff_tell_is_read_as_what_nodes_tell() {
        let (node, message_id) = (Uuid::now_v7(), Uuid::now_v7());
        let change = chat::ChatChange::<()>::Deleted { message_id };
        let told = chat::Told { place: ("party", node.to_string()), change };
        let parcel = serde_json::to_value(chat::Parcel { node, changes: vec![told] }).unwrap();
        let read: Parcel = serde_json::from_value(parcel).unwrap();
        let told = Told { place: Place::Party(node), change: ChatChange::Deleted { message_id } };
        assert_eq!(read, Parcel { node, changes: vec![told] });
    }
}
