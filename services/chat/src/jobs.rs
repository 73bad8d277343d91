//! What goes on beside the sockets: presence, revocations, and what is read again now and then.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sortie_control::bus::{BusError, Heard};
use sortie_control::listening::{DeafError, Hearing};
use sortie_control::revoked::{self, Revocation};
use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;
use sortie_control::text::words::Words;
use uuid::Uuid;

use crate::authority;
use crate::close;
use crate::hub::Hub;
use crate::lock::lock;
use crate::request::presence_place;
use crate::store;

/// Closes sockets whose login has ended or whose player is banned, as soon as that is told, until
/// the bus ends.
pub(crate) async fn hear_revocations(hub: Arc<Hub>, hearing: Hearing) -> Result<(), DeafError> {
    let mut heard = hub.app.bus.topics.subscribe(revoked::TOPIC).await?;
    hearing.works();
    while let Some(heard) = heard.next().await {
        let Heard::Message(body) = heard else {
            // What was missed stands in Postgres; if that is away too, the refresh reads it later.
            drop(authority::close_fallen(&hub, &hub.members()).await);
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
    Ok(())
}

/// Says of everybody here that they are still here.
pub(crate) async fn renew_presence(hub: Arc<Hub>, stop: Stop) {
    let (period, failing) = (hub.settings.presence_every, "who is in chat is not told");
    let mut rounds = Rounds::new("chat_presence", period, failing, stop).later();
    while rounds.next().await {
        rounds.ended(confirm_presence(&hub).await);
    }
}

/// Says it of everybody; when the bus is away, the next round says it of those who are left.
async fn confirm_presence(hub: &Hub) -> Result<(), BusError> {
    for room in hub.rooms() {
        let players: HashSet<Uuid> =
            lock(&room.readers).values().map(|reader| reader.player).collect();
        let place = presence_place(room.channel_id);
        for player in players {
            hub.app.bus.presence.confirm(&place, player, hub.settings.presence_ttl).await?;
        }
    }
    Ok(())
}

/// Reads words, slow modes and bans again.
pub(crate) async fn refresh(hub: Arc<Hub>, stop: Stop) {
    let (period, failing) = (hub.settings.refresh_every, "chat goes on with what it read before");
    let mut rounds = Rounds::new("chat_refresh", period, failing, stop);
    while rounds.next().await {
        rounds.ended(read_again(&hub).await);
    }
}

async fn read_again(hub: &Hub) -> sqlx::Result<()> {
    let db = &hub.app.db;
    hub.set_words(Words::load(db).await?);
    let rooms = hub.rooms();
    let channels: Vec<Uuid> = rooms.iter().map(|room| room.channel_id).collect();
    for (channel, slow_mode_s) in store::slow_modes(db, &channels).await? {
        for room in rooms.iter().filter(|room| room.channel_id == channel) {
            room.slow_mode_s.store(slow_mode_s.unsigned_abs(), Ordering::Relaxed);
        }
    }
    // A ban or a login that ends by the clock changes no row.
    authority::close_fallen(hub, &hub.members()).await
}
