//! What a ban does to those who are logged in, waiting and fighting: at once.
//!
//! What Postgres knows changes in the transaction of the ban; that a login has ended is told to
//! all nodes after it. Without the bus it is told as soon as it is back, and until then an access
//! token lives its five minutes.

use std::time::Duration;

use sortie_control::app::AppState;
use sortie_control::revoked::{self, Revocation};
use sortie_whereabouts::queue;
use sqlx::PgConnection;
use uuid::Uuid;

/// How often, and for how long, a bus that is away is tried again: as long as a token can live.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES_MAX: u32 = 300;

/// Takes a player's tickets out of the queues; others of a match that was asking wait on. Gives
/// how many tickets.
pub(crate) async fn cancel_tickets(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<u64> {
    queue::withdraw_player(db, player_id, "a player of the ticket was banned").await
}

/// Tells all nodes that logins have ended: each by its id, and all that began before now.
pub(crate) async fn tell_logins_ended(app: &AppState, player_id: Uuid, ended: &[Uuid], why: &str) {
    let each = ended.iter().copied().map(Some).chain([None]);
    let revocation = |session_id| Revocation {
        player_id,
        session_id,
        scope: "login".to_owned(),
        why: why.to_owned(),
    };
    tell(app, each.map(revocation).collect()).await;
}

/// Tells all nodes that a player may not chat any more.
pub(crate) async fn tell_chat_banned(app: &AppState, player_id: Uuid) {
    let (scope, why) = ("chat".to_owned(), "banned".to_owned());
    tell(app, vec![Revocation { player_id, session_id: None, scope, why }]).await;
}

/// Tells now, and goes on trying in the background when the bus is away.
async fn tell(app: &AppState, revocations: Vec<Revocation>) {
    let now_s = app.clock.estimate().unix_timestamp();
    let mut left = Vec::new();
    for revocation in revocations {
        // This node need not wait for the bus to hear itself.
        app.revoked.note(&revocation, now_s);
        if let Err(error) = revoked::tell(&app.bus, &revocation).await {
            tracing::warn!(%error, "the end of a login is told once the bus is back");
            left.push(revocation);
        }
    }
    if left.is_empty() {
        return;
    }
    let bus = app.bus.clone();
    app.tasks.spawn("ends_of_logins", async move {
        for _ in 0..TRIES_MAX {
            tokio::time::sleep(AGAIN).await;
            while let Some(revocation) = left.pop() {
                if revoked::tell(&bus, &revocation).await.is_err() {
                    left.push(revocation);
                    break;
                }
            }
            if left.is_empty() {
                return;
            }
        }
    });
}
