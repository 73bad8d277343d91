//! What sockets keep of their players, and how it stays true: name, moderator's rights, mutes, the
//! channels that the player may be in, and whether the player may be here at all.
//!
//! There is one way: whoever changes something of a player, the database tells of it
//! ([`Changes`]), and everything of that player's sockets on this node is read again.

use std::sync::Arc;

use sortie_control::changes::{Changed, Changes};
use sortie_control::listening::{DeafError, Hearing};
use sqlx::PgPool;
use uuid::Uuid;

use crate::channel::Place;
use crate::close;
use crate::error::ChatError;
use crate::hub::Hub;
use crate::lock::lock;
use crate::member::Member;
use crate::store::{self, Known, Sitting};
use crate::wire::ChannelEvent;

/// What is to be kept of a player.
pub(crate) async fn of(db: &PgPool, player: Uuid) -> Result<Known, ChatError> {
    store::known(db, &[player]).await?.remove(&player).ok_or(ChatError::NoPlayer)
}

/// Reads again what changes, from everybody on, until the database is away.
pub(crate) async fn follow(hub: Arc<Hub>, hearing: Hearing) -> Result<(), DeafError> {
    let mut changes = Changes::of(hub.app.db.clone());
    loop {
        let changed = changes.next().await?;
        read_again(&hub, &changed).await?;
        hearing.works();
    }
}

/// Makes true what sockets keep of players who have changed.
pub(crate) async fn read_again(hub: &Hub, changed: &Changed) -> sqlx::Result<()> {
    let mut members = hub.members();
    members.retain(|member| changed.concerns(member.player));
    if members.is_empty() {
        return Ok(());
    }
    close_fallen(hub, &members).await?;
    let players: Vec<Uuid> = members.iter().map(|member| member.player).collect();
    let known = store::known(&hub.app.db, &players).await?;
    for member in &members {
        if let Some(known) = known.get(&member.player) {
            lock(&member.known).clone_from(known);
        }
    }
    show_out(hub, &members).await
}

/// Closes sockets whose login has ended, or whose player is banned.
pub(crate) async fn close_fallen(hub: &Hub, members: &[Arc<Member>]) -> sqlx::Result<()> {
    let players: Vec<Uuid> = members.iter().map(|member| member.player).collect();
    let sessions: Vec<Uuid> = members.iter().map(|member| member.session).collect();
    for fallen in store::fallen(&hub.app.db, &players, &sessions).await? {
        let why = if fallen.is_out { close::LOGIN_ENDED } else { close::BANNED };
        hub.close(fallen.player_id, Some(fallen.session_id), why);
    }
    Ok(())
}

/// Out of the channels that their players may not be in any more; moderators may be in all.
async fn show_out(hub: &Hub, members: &[Arc<Member>]) -> sqlx::Result<()> {
    let (mut sitting, mut whose) = (Vec::new(), Vec::new());
    for member in members.iter().filter(|member| !member.is_moderator()) {
        for &place in lock(&member.rooms).keys() {
            let nowhere = Sitting { player: member.player, ..Sitting::default() };
            let (battle, team) = match place {
                Place::Global | Place::Whisper(..) => continue,
                Place::Party(party) => {
                    sitting.push(Sitting { party: Some(party), ..nowhere });
                    whose.push((member, place));
                    continue;
                }
                Place::Battle(battle) => (battle, None),
                Place::Team(battle, team) | Place::Squad(battle, team, _) => (battle, Some(team)),
            };
            sitting.push(Sitting { battle: Some(battle), team, ..nowhere });
            whose.push((member, place));
        }
    }
    if sitting.is_empty() {
        return Ok(());
    }
    for at in store::strangers(&hub.app.db, &sitting).await? {
        let Some(&(member, place)) = whose.get(at) else { continue };
        hub.leave(member, place);
        let code = ChatError::NoAccess.code().to_owned();
        member.line.tell(&ChannelEvent::Left { channel: place.name_for(member.player), code });
    }
    Ok(())
}
