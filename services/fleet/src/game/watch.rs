//! `Game.WatchBattle`: how a battle stands, about once a second until it is over.
//!
//! Statuses come over the bus. When it is silent (the battle's server is connected to another
//! node and the bus is this process's own, or the bus is away), what is stored is read instead,
//! which has no positions. Whoever may see positions and regions sees everything later than it
//! happens; everybody else sees the score at once.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use serde_json::Value;
use sortie_battles::state::is_live;
use sortie_control::access::Claims;
use sortie_control::app::AppState;
use sortie_control::audit::{self, AuditOutcome, Entry};
use sortie_control::bus::{Heard, Rate, Subscription};
use sortie_control::error::ApiError;
use sortie_control::permission::Permission;
use sortie_control::service::Stop;
use sortie_control::who;
use sortie_rpc::fleet::v1::BattleStatus;
use sortie_rpc::game::v1 as rpc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use super::delay::Delay;
use super::watchers::Watching;
use crate::error::FleetError;
use crate::settings::Settings;
use crate::status::{self, topic};

/// Watches that one player may begin in a while.
const WATCHES: Rate = Rate::per(20, Duration::from_secs(20));

/// Statuses on the way to a spectator who does not read; newer ones are dropped then.
const AHEAD: usize = 2;

type Sender = mpsc::Sender<Result<rpc::WatchBattleResponse, Status>>;
type Stream = ReceiverStream<Result<rpc::WatchBattleResponse, Status>>;

/// Who watches what.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) claims: Claims,
    pub(super) battle_id: Uuid,
    /// Positions and regions, too.
    pub(super) all: bool,
}

/// What a watch takes of the node and of its player, given back with it.
pub(super) struct Seat {
    pub(super) _place: OwnedSemaphorePermit,
    pub(super) _own: Watching,
}

/// Begins a watch; it goes on in a task of its own, which keeps the seat.
pub(super) async fn begin(
    app: AppState,
    settings: Settings,
    stop: Stop,
    asked: Asked,
    seat: Seat,
) -> Result<Stream, Status> {
    let bucket = format!("game/watch/{}", asked.claims.sub);
    app.bus.limiter.take(&bucket, WATCHES).await.map_err(ApiError::too_many)?;
    if asked.all {
        require_permission(&app, &asked).await?;
    }
    let (sender, receiver) = mpsc::channel(AHEAD);
    let tasks = app.tasks.clone();
    let watch = Watch { app, settings, asked };
    // The battle is looked for before the stream begins: whoever asks for none gets an error.
    let (state, told) = watch.stored().await?;
    tasks.spawn("battle_watch", async move {
        let _seat = seat;
        let watches = metrics::gauge!("sortie_battle_watches");
        watches.increment(1.0);
        if let Err(status) = watch.follow(state, told, stop, &sender).await {
            // An error: the spectator hung up.
            let _ = sender.send(Err(status)).await;
        }
        watches.decrement(1.0);
    });
    Ok(ReceiverStream::new(receiver))
}

/// A refusal is in the audit log, as those over REST are.
async fn require_permission(app: &AppState, asked: &Asked) -> Result<(), ApiError> {
    let player_id = asked.claims.sub;
    let permissions = who::permissions_of(&app.db, player_id).await?;
    if permissions.allow(Permission::BattlesWatch) {
        return Ok(());
    }
    let entry = Entry {
        actor: Some(player_id),
        action: "battles.watch",
        outcome: AuditOutcome::Refused,
        target: format!("battle:{}", asked.battle_id),
        before: None,
        after: None,
    };
    audit::append(&mut *app.db.acquire().await?, &entry).await?;
    Err(who::lacks(Permission::BattlesWatch))
}

struct Watch {
    app: AppState,
    settings: Settings,
    asked: Asked,
}

impl Watch {
    async fn follow(
        self,
        mut state: String,
        told: Bytes,
        mut stop: Stop,
        sender: &Sender,
    ) -> Result<(), Status> {
        let every = self.settings.watch_every;
        let delay = if self.asked.all { self.settings.spectator_delay } else { Duration::ZERO };
        let mut waiting = Delay::new(delay, every);
        waiting.push(told, Instant::now());
        // Without the bus there is still the store.
        let mut bus = self.app.bus.topics.subscribe(&topic(self.asked.battle_id)).await.ok();
        let mut heard_at = Instant::now();
        let mut looked_at = Instant::now();
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = next(&mut bus) => {
                    if let Some(Heard::Message(status)) = heard {
                        heard_at = Instant::now();
                        waiting.push(status, heard_at);
                    }
                    continue;
                }
                _ = ticks.tick() => {}
                () = sender.closed() => return Ok(()),
                () = stop.asked() => {
                    return Err(Status::unavailable("the control plane is stopping; watch again"));
                }
            }
            let is_silent = heard_at.elapsed() > every * 2;
            let look_every = if is_silent { every } else { every * 5 };
            if is_live(&state) && looked_at.elapsed() >= look_every {
                looked_at = Instant::now();
                self.recheck().await?;
                // A database that is away ends no watch.
                if let Ok((now, told)) = self.stored().await {
                    state = now;
                    if is_silent || !is_live(&state) {
                        waiting.push(told, looked_at);
                    }
                }
            }
            if let Some(status) = waiting.due(Instant::now()) {
                // Full: the spectator does not read, and will see a newer one.
                let _ = sender.try_send(Ok(self.shown(&status)));
            }
            if !is_live(&state) && waiting.is_empty() {
                return Ok(());
            }
        }
    }

    /// What is stored: the battle's state, and how it stood last.
    async fn stored(&self) -> Result<(String, Bytes), FleetError> {
        let battle_id = self.asked.battle_id;
        let row: Option<(String, Value)> =
            sqlx::query!("select state, status from battle where battle_id = $1", battle_id)
                .fetch_optional(&self.app.db)
                .await?
                .map(|row| (row.state, row.status));
        let (state, status) = row.ok_or(FleetError::UnknownBattle(battle_id))?;
        let told = status::Status::stored(status).in_state(&state).told(battle_id);
        Ok((state, Bytes::from(told.encode_to_vec())))
    }

    /// A login that ended, or a role that was taken, ends the watch.
    async fn recheck(&self) -> Result<(), Status> {
        if self.app.revoked.covers(&self.asked.claims) {
            let text = "this login has ended; log in again";
            return Err(ApiError::unauthenticated("auth.revoked", text).into());
        }
        if self.asked.all
            && let Ok(permissions) = who::permissions_of(&self.app.db, self.asked.claims.sub).await
            && !permissions.allow(Permission::BattlesWatch)
        {
            return Err(who::lacks(Permission::BattlesWatch).into());
        }
        Ok(())
    }

    /// What this spectator may see of it.
    fn shown(&self, status: &Bytes) -> rpc::WatchBattleResponse {
        // It was written by us; one that cannot be read is an empty one.
        let mut status = BattleStatus::decode(status.clone()).unwrap_or_default();
        if !self.asked.all {
            status.positions.clear();
            status.regions.clear();
        }
        rpc::WatchBattleResponse { status: Some(status) }
    }
}

/// The next thing heard; waits for ever when there is no bus.
async fn next(bus: &mut Option<Subscription>) -> Option<Heard> {
    let heard = match bus {
        Some(subscription) => subscription.next().await,
        None => std::future::pending().await,
    };
    if heard.is_none() {
        *bus = None;
    }
    heard
}
