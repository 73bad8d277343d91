//! `Fleet.Serve`: heartbeats up, orders down, for one connection of one server.
//!
//! Each stream is a task of its own, which the node waits for at its end, so that what it does in
//! the database is never cut off in the middle when the server hangs up.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use sortie_battles::server;
use sortie_control::bus::Bus;
use sortie_control::internal::FleetCaller;
use sortie_control::service::Stop;
use sortie_control::tasks::Tasks;
use sortie_rpc::fleet::v1 as rpc;
use sortie_whereabouts::seat::Departed;
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::beat::{self, Beat};
use crate::error::{FleetError, uuid};
use crate::orders::{self, ORDERS_MAX};
use crate::settings::Settings;
use crate::status::{self, topic};
use crate::wakes::Wakes;

/// Orders that may be on the way to a server that does not read.
pub(crate) const ORDERS_AHEAD: usize = ORDERS_MAX as usize;

/// A look at the database that failed is made again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const BATTLES_MAX: usize = 64;
const REFUSED_MAX: usize = 16;
const WHY_CHARS_MAX: usize = 200;

/// What a stream sends.
pub(crate) type Orders = mpsc::Sender<Result<rpc::Order, Status>>;

/// What all streams of a node share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) db: PgPool,
    pub(crate) bus: Bus,
    pub(crate) settings: Settings,
    pub(crate) wakes: Wakes,
    pub(crate) stop: Stop,
    pub(crate) tasks: Tasks,
}

/// Serves one stream until it ends, and tells the server why.
pub(crate) async fn serve(
    shared: Shared,
    caller: FleetCaller,
    beats: Streaming<rpc::Heartbeat>,
    orders: Orders,
) {
    let streams = metrics::gauge!("sortie_fleet_streams");
    streams.increment(1.0);
    if let Err(status) = follow(shared, caller, beats, &orders).await {
        tracing::debug!(code = ?status.code(), message = status.message(), "a stream ends");
        // An error: the server hung up, and needs no reason.
        let _ = orders.send(Err(status)).await;
    }
    streams.decrement(1.0);
}

async fn follow(
    shared: Shared,
    caller: FleetCaller,
    mut beats: Streaming<rpc::Heartbeat>,
    orders: &Orders,
) -> Result<(), Status> {
    let mut stop = shared.stop.clone();
    let Some(first) = first_beat(&shared, &mut beats).await? else { return Ok(()) };
    let server_id = uuid("server_id", &first.server_id)?;
    let mut wakes = shared.wakes.of(server_id);
    // Who shows a credential speaks for that server alone.
    if let FleetCaller::Server { server_id: own, epoch } = caller
        && (own != server_id || u64::try_from(epoch) != Ok(first.epoch))
    {
        let text = "server_id and epoch: they are not those of the credential";
        return Err(Status::permission_denied(text));
    }
    let is_proven = caller != FleetCaller::Secret;
    let mut link = Link::new(shared, server_id, first.epoch, is_proven)?;
    link.take(first).await?;
    let mut next_poll = Instant::now();
    loop {
        tokio::select! {
            beat = beats.message() => match beat? {
                Some(beat) => link.take(beat).await?,
                None => return link.goodbye().await,
            },
            () = wakes.next() => next_poll = Instant::now(),
            () = tokio::time::sleep_until(next_poll) => {}
            () = orders.closed() => return Ok(()),
            () = stop.asked() => {
                return Err(Status::unavailable("the control plane is stopping; connect again"));
            }
        }
        if link.beat_at.elapsed() > link.shared.settings.lease {
            return Err(Status::deadline_exceeded("no heartbeat came for as long as a lease"));
        }
        if next_poll <= Instant::now() {
            let more = link.send_orders(orders).await?;
            let usual = link.shared.settings.order_poll;
            let pause = match more {
                true => Duration::ZERO,
                // What was announced meanwhile was not seen.
                false if link.is_cut_off => usual.min(LOOK_AGAIN),
                false => usual,
            };
            next_poll = Instant::now() + pause;
        }
    }
}

/// A stream without a heartbeat is nobody's.
async fn first_beat(
    shared: &Shared,
    beats: &mut Streaming<rpc::Heartbeat>,
) -> Result<Option<rpc::Heartbeat>, Status> {
    let late = || Status::deadline_exceeded("the first heartbeat did not come");
    tokio::time::timeout(shared.settings.lease, beats.message()).await.map_err(|_| late())?
}

/// One server's stream.
struct Link {
    shared: Shared,
    server_id: Uuid,
    epoch: i64,
    /// Whether it showed its credential; else only servers without an identity are served.
    is_proven: bool,
    /// When the last heartbeat came.
    beat_at: Instant,
    /// When a heartbeat was last stored.
    stored_at: Option<Instant>,
    /// Newest order that went down this stream.
    sent: i64,
    /// Newest order that was acknowledged.
    done: i64,
    is_draining: bool,
    /// Battles and refusals of the newest heartbeat, and which battles are the server's own.
    listed: Vec<Uuid>,
    refused: Vec<Uuid>,
    own: HashSet<Uuid>,
    /// Whether the last word of the database was an error.
    is_cut_off: bool,
}

impl Link {
    fn new(
        shared: Shared,
        server_id: Uuid,
        epoch: u64,
        is_proven: bool,
    ) -> Result<Self, FleetError> {
        Ok(Self {
            shared,
            server_id,
            epoch: i64::try_from(epoch).map_err(|_| FleetError::OldEpoch)?,
            is_proven,
            beat_at: Instant::now(),
            stored_at: None,
            sent: 0,
            done: 0,
            is_draining: false,
            listed: Vec::new(),
            refused: Vec::new(),
            own: HashSet::new(),
            is_cut_off: false,
        })
    }

    /// Stores a heartbeat when something is new or the last one is old, and tells spectators.
    async fn take(&mut self, mut beat: rpc::Heartbeat) -> Result<(), FleetError> {
        self.beat_at = Instant::now();
        if uuid("server_id", &beat.server_id)? != self.server_id
            || i64::try_from(beat.epoch) != Ok(self.epoch)
        {
            return Err(FleetError::invalid("server_id and epoch: one server a stream"));
        }
        if beat.battles.len() > BATTLES_MAX || beat.refused.len() > REFUSED_MAX {
            return Err(FleetError::invalid("battles: at most 64; refused: at most 16"));
        }
        let mut statuses = Vec::with_capacity(beat.battles.len());
        let mut gone = Vec::new();
        for mut told in std::mem::take(&mut beat.battles) {
            status::bound(&mut told);
            let battle_id = uuid("battle_id", &told.battle_id)?;
            // The seats' owners know; spectators need not be told.
            for departure in std::mem::take(&mut told.gone) {
                let player_id = uuid("player_id", &departure.player_id)?;
                let tick = i32::try_from(departure.tick).unwrap_or(i32::MAX);
                gone.push(Departed { battle_id, player_id, tick });
            }
            statuses.push((battle_id, told));
        }
        // Rows are locked in the same order by everybody; the last of two is the newest.
        statuses.sort_by_key(|(battle_id, _)| *battle_id);
        statuses.reverse();
        statuses.dedup_by_key(|(battle_id, _)| *battle_id);
        statuses.reverse();
        let refused = refusals(&beat)?;
        if self.is_news(&beat, &statuses, &refused) {
            self.store(&beat, &statuses, gone, refused).await?;
        }
        for (battle_id, told) in statuses {
            if self.own.contains(&battle_id) {
                let body = Bytes::from(told.encode_to_vec());
                // Without the bus, spectators see what is stored.
                if let Err(error) = self.shared.bus.topics.publish(&topic(battle_id), body).await {
                    tracing::debug!(%error, "a status was not told");
                }
            }
        }
        Ok(())
    }

    fn is_news(
        &self,
        beat: &rpc::Heartbeat,
        statuses: &[(Uuid, rpc::BattleStatus)],
        refused: &[(Uuid, String)],
    ) -> bool {
        // Heartbeats come a little early and a little late: every one of them is to be stored.
        let period = self.shared.settings.heartbeat.mul_f64(0.9);
        self.stored_at.is_none_or(|stored_at| stored_at.elapsed() >= period)
            || i64::try_from(beat.order_done).is_ok_and(|done| done > self.done)
            || beat.is_draining != self.is_draining
            || !statuses.iter().map(|(battle_id, _)| battle_id).eq(&self.listed)
            || !refused.iter().map(|(battle_id, _)| battle_id).eq(&self.refused)
    }

    async fn store(
        &mut self,
        beat: &rpc::Heartbeat,
        statuses: &[(Uuid, rpc::BattleStatus)],
        gone: Vec<Departed>,
        refused: Vec<(Uuid, String)>,
    ) -> Result<(), FleetError> {
        let stored = |(battle_id, told): &(Uuid, rpc::BattleStatus)| {
            let status = serde_json::to_value(status::Status::from(told));
            (*battle_id, status.unwrap_or_default())
        };
        let row = Beat {
            server_id: self.server_id,
            epoch: self.epoch,
            is_proven: self.is_proven,
            order_done: i64::try_from(beat.order_done).unwrap_or(0),
            load: beat::load_json(beat.load.unwrap_or_default()),
            is_draining: beat.is_draining,
            statuses: statuses.iter().map(stored).collect(),
            gone,
            refused,
        };
        let outcome = beat::store(&self.shared.db, &row, &self.shared.settings).await;
        let Some(own) = self.unless_cut_off(outcome)? else { return Ok(()) };
        self.own = own;
        self.stored_at = Some(self.beat_at);
        self.done = row.order_done;
        self.is_draining = row.is_draining;
        self.listed = row.statuses.into_iter().map(|(battle_id, _)| battle_id).collect();
        self.refused = row.refused.into_iter().map(|(battle_id, _)| battle_id).collect();
        Ok(())
    }

    /// Sends what is new; true when there may be more at once.
    async fn send_orders(&mut self, orders: &Orders) -> Result<bool, FleetError> {
        // Only a stored heartbeat shows that the server is who it says.
        if self.stored_at.is_none() {
            return Ok(false);
        }
        let outcome =
            orders::open_orders(&self.shared.db, self.server_id, self.epoch, self.sent).await;
        let Some(found) = self.unless_cut_off(outcome)? else { return Ok(false) };
        for order in found.orders {
            let order_id = i64::try_from(order.order_id).unwrap_or(i64::MAX);
            // Full: the server does not read; what is left comes with the next look.
            if orders.try_send(Ok(order)).is_err() {
                return Ok(false);
            }
            self.sent = order_id;
        }
        self.sent = found.last.unwrap_or(self.sent);
        Ok(found.is_cut)
    }

    /// A database that is away ends no stream: the server can do nothing about it. `None`: away.
    fn unless_cut_off<T>(
        &mut self,
        outcome: Result<T, FleetError>,
    ) -> Result<Option<T>, FleetError> {
        match outcome {
            Ok(value) => {
                self.is_cut_off = false;
                Ok(Some(value))
            }
            Err(FleetError::Database(error)) => {
                if !self.is_cut_off {
                    let server_id = self.server_id;
                    tracing::warn!(%error, %server_id, "a heartbeat is not stored");
                }
                self.is_cut_off = true;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A drained server without battles that closes its stream has left for good; any other
    /// comes back within its lease.
    async fn goodbye(&self) -> Result<(), Status> {
        if !self.is_draining || !self.listed.is_empty() {
            return Ok(());
        }
        let left = server::goodbye(&self.shared.db, self.server_id, self.epoch).await;
        if left.map_err(FleetError::from)? {
            tracing::info!(server_id = %self.server_id, "a drained server has left");
        }
        Ok(())
    }
}

fn refusals(beat: &rpc::Heartbeat) -> Result<Vec<(Uuid, String)>, FleetError> {
    let refusal = |refused: &rpc::RefusedBattle| {
        let why = refused.why.chars().take(WHY_CHARS_MAX).collect();
        Ok((uuid("battle_id", &refused.battle_id)?, why))
    };
    beat.refused.iter().map(refusal).collect()
}
