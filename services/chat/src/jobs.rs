//! What goes on beside the sockets: presence, revocations, and what is read again now and then.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sortie_control::bus::{Heard, Subscription};
use sortie_control::revoked::{self, Revocation};
use sortie_control::service::Stop;
use sortie_control::text::words::Words;
use uuid::Uuid;

use crate::channel::Place;
use crate::close;
use crate::error::ChatError;
use crate::hub::Hub;
use crate::member::lock;
use crate::request::presence_place;
use crate::store;
use crate::wire::Event;

/// How long until something that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Closes sockets whose login has ended or whose player is banned, as soon as that is told.
pub(crate) async fn hear_revocations(hub: Arc<Hub>, mut stop: Stop) {
    loop {
        match hub.plane.bus.topics.subscribe(revoked::TOPIC).await {
            Ok(heard) => {
                tokio::select! {
                    () = hear(&hub, heard) => return,
                    () = stop.asked() => return,
                }
            }
            Err(_) if stop.wait(AGAIN).await => {}
            Err(_) => return,
        }
    }
}

async fn hear(hub: &Hub, mut heard: Subscription) {
    while let Some(heard) = heard.next().await {
        let Heard::Message(body) = heard else {
            // What was missed stands in Postgres; if that is away too, the refresh reads it later.
            drop(close_fallen(hub).await);
            continue;
        };
        match serde_json::from_slice::<Revocation>(&body) {
            Ok(revocation) => {
                let why = match revocation.scope.as_str() {
                    "login" => close::LOGIN_ENDED,
                    "chat" => close::BANNED,
                    _ => continue,
                };
                hub.close(revocation.player_id, revocation.session_id, why);
            }
            Err(error) => tracing::warn!(%error, "a revocation cannot be read"),
        }
    }
}

async fn close_fallen(hub: &Hub) -> sqlx::Result<()> {
    let members = hub.members();
    let players: Vec<Uuid> = members.iter().map(|member| member.player).collect();
    let sessions: Vec<Uuid> = members.iter().map(|member| member.session).collect();
    for fallen in store::fallen(&hub.plane.db, &players, &sessions).await? {
        let why = if fallen.is_out { close::LOGIN_ENDED } else { close::BANNED };
        hub.close(fallen.player_id, Some(fallen.session_id), why);
    }
    Ok(())
}

/// Says of everybody here that they are still here.
pub(crate) async fn renew_presence(hub: Arc<Hub>, mut stop: Stop) {
    while stop.wait(hub.settings.presence_every).await {
        for room in hub.rooms() {
            let players: HashSet<Uuid> =
                lock(&room.members).values().map(|member| member.player).collect();
            let place = presence_place(room.channel_id);
            for player in players {
                let ttl = hub.settings.presence_ttl;
                if hub.plane.bus.presence.confirm(&place, player, ttl).await.is_err() {
                    break; // The bus is away: the next round tells.
                }
            }
        }
    }
}

/// Reads words, slow modes, bans and memberships again.
pub(crate) async fn refresh(hub: Arc<Hub>, mut stop: Stop) {
    let mut is_away = false;
    loop {
        match read_again(&hub).await {
            Ok(()) => is_away = false,
            Err(error) if !is_away => {
                tracing::warn!(%error, "chat goes on with what it read before");
                is_away = true;
            }
            Err(_) => {}
        }
        if !stop.wait(hub.settings.refresh_every).await {
            return;
        }
    }
}

async fn read_again(hub: &Hub) -> sqlx::Result<()> {
    let db = &hub.plane.db;
    hub.set_words(Words::load(db).await?);
    let rooms = hub.rooms();
    let channels: Vec<Uuid> = rooms.iter().map(|room| room.channel_id).collect();
    for (channel, slow_mode_s) in store::slow_modes(db, &channels).await? {
        for room in rooms.iter().filter(|room| room.channel_id == channel) {
            room.slow_mode_s.store(slow_mode_s.unsigned_abs(), Ordering::Relaxed);
        }
    }
    close_fallen(hub).await?;
    show_out_of_parties(hub).await
}

/// Who has left a party hears it no more.
async fn show_out_of_parties(hub: &Hub) -> sqlx::Result<()> {
    let (mut players, mut parties) = (Vec::new(), Vec::new());
    for room in hub.rooms() {
        let Some(Place::Party(party)) = room.place else { continue };
        for member in lock(&room.members).values().filter(|member| !member.is_moderator) {
            players.push(member.player);
            parties.push(party);
        }
    }
    if players.is_empty() {
        return Ok(());
    }
    let leavers = store::party_leavers(&hub.plane.db, &players, &parties).await?;
    for member in hub.members() {
        for (_, party) in leavers.iter().filter(|(player, _)| *player == member.player) {
            let place = Place::Party(*party);
            if member.room(place).is_some() {
                hub.leave(&member, place);
                let code = ChatError::NoAccess.code().to_owned();
                member.line.send(&Event::Left { channel: place.name_for(member.player), code });
            }
        }
    }
    Ok(())
}
