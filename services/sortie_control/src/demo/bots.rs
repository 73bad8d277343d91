//! How a bot lives: it signs up, queues alone or with its party, fights, and queues again.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use data_encoding::HEXLOWER;
use reqwest::StatusCode;
use sortie_control::service::Stop;
use sortie_control::vocabulary::TicketState;
use sortie_players::swarm::{DriverPool, LanePolicy, Visit, Visited};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::api::{Admission, CallError, Player, Ticket, Who};
use sortie_cli::units::key_from_hex;

/// Between two looks at a ticket.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Between two tries to get into a battle that its server has not begun yet.
const JOIN_EVERY: Duration = Duration::from_millis(500);

/// After a call that failed.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Sizes of the groups that bots queue in, over and over.
const GROUPS: [usize; 5] = [1, 2, 1, 4, 2];

/// What bots did, counted as they do it.
#[derive(Debug, Default)]
pub(crate) struct BotCounters {
    /// Signed up or logged in.
    pub entered: AtomicU64,
    /// Waiting in a queue now.
    pub waiting: AtomicU64,
    /// Matched, and waiting now for a server to begin their battle.
    pub matched: AtomicU64,
    /// In a battle now.
    pub fighting: AtomicU64,
    /// Stays in battles that are over.
    pub visits: AtomicU64,
    /// Of these, those that were never let in.
    pub shut_out: AtomicU64,
    /// Calls that failed and were tried again.
    pub retries: AtomicU64,
}

/// So many are counted as long as this lives; a group may end anywhere.
struct Counted<'a>(&'a AtomicU64, u64);

impl<'a> Counted<'a> {
    fn new(gauge: &'a AtomicU64, count: u64) -> Self {
        gauge.fetch_add(count, Relaxed);
        Self(gauge, count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Relaxed);
    }
}

/// What all bots share.
pub(crate) struct BotPool {
    /// The REST listener.
    pub rest: SocketAddr,
    /// Where they queue.
    pub queue: String,
    /// Their passwords are made of it: a later run logs the same bots in.
    pub secret: String,
    /// Drives their clients.
    pub drivers: DriverPool,
    /// What they did.
    pub counters: BotCounters,
    http: reqwest::Client,
}

impl BotPool {
    /// Nobody lives there yet.
    ///
    /// # Errors
    /// The system has no threads or sockets left.
    pub(crate) fn new(rest: SocketAddr, queue: String, secret: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let (drivers, counters) = (DriverPool::start(1)?, BotCounters::default());
        Ok(Self { rest, queue, secret, drivers, counters, http })
    }

    /// Lets `count` bots live there until `closing`: then nobody queues any more, and each bot
    /// is done when its battle is.
    pub(crate) fn settle(self: &Arc<Self>, count: usize, closing: &Stop) -> JoinSet<()> {
        let mut groups = JoinSet::new();
        let (mut next, mut sizes) = (0, GROUPS.iter().cycle());
        while next < count {
            let size = (*sizes.next().unwrap_or(&1)).min(count - next);
            let group = Group { pool: Arc::clone(self), players: Vec::new() };
            groups.spawn(group.live(next..next + size, closing.clone()));
            next += size;
        }
        groups
    }

    fn who(&self, number: usize) -> Who {
        let name = format!("bot-{number:04}");
        let digest = ring::digest::digest(
            &ring::digest::SHA256,
            format!("{}/{name}", self.secret).as_bytes(),
        );
        let [a, b] = (number as u16).to_be_bytes();
        let address = Ipv4Addr::new(10, 66, a, b);
        Who { name, password: HEXLOWER.encode(&digest.as_ref()[..16]), address }
    }
}

/// Bots that queue together.
struct Group {
    pool: Arc<BotPool>,
    players: Vec<Player>,
}

/// Nobody queues any more.
struct Closed;

impl Group {
    async fn live(mut self, numbers: std::ops::Range<usize>, mut closing: Stop) {
        for number in numbers.clone() {
            if self.enter(number, &mut closing).await.is_err() {
                return;
            }
        }
        while numbers.len() > 1 {
            match self.gather().await {
                Ok(()) => break,
                Err(error) if self.wait_after(&error, &mut closing).await => {}
                Err(_) => return,
            }
        }
        while !closing.is_asked() {
            match self.one_battle(&mut closing).await {
                Ok(()) => {}
                Err(error) if self.wait_after(&error, &mut closing).await => {}
                Err(_) => return,
            }
        }
    }

    async fn enter(&mut self, number: usize, closing: &mut Stop) -> Result<(), Closed> {
        let pool = Arc::clone(&self.pool);
        let who = pool.who(number);
        loop {
            match Player::enter(&pool.http, pool.rest, &who).await {
                Ok(player) => {
                    self.players.push(player);
                    pool.counters.entered.fetch_add(1, Relaxed);
                    return Ok(());
                }
                Err(error) if self.wait_after(&error, closing).await => {}
                Err(_) => return Err(Closed),
            }
        }
    }

    /// The first one leads.
    async fn gather(&mut self) -> Result<(), CallError> {
        let Some((leader, others)) = self.players.split_first_mut() else { return Ok(()) };
        let code = leader.make_party().await?;
        for other in others {
            other.join_party(&code).await?;
        }
        Ok(())
    }

    /// Queues, fights, and comes back.
    async fn one_battle(&mut self, closing: &mut Stop) -> Result<(), CallError> {
        let size = self.players.len() as u64;
        let ticket = self.players[0].queue(&self.pool.queue).await?;
        let counters = &self.pool.counters;
        let waiting = Counted::new(&counters.waiting, size);
        let matched = wait(&mut self.players[0], ticket, closing).await;
        drop(waiting);
        let Some(battle_id) = matched? else { return Ok(()) };
        let matched = Counted::new(&counters.matched, size);
        let mut stays = Vec::new();
        for player in &mut self.players {
            // One that is not let in must not keep the others from fighting.
            match admission(player, battle_id, closing).await {
                Ok(admission) => {
                    let stay = admission.and_then(|admission| visit(&self.pool, &admission));
                    stays.extend(stay.map(|stay| (stay, Counted::new(&counters.fighting, 1))));
                }
                Err(error) => {
                    counters.retries.fetch_add(1, Relaxed);
                    tracing::warn!(%error, "a bot cannot join its battle");
                }
            }
        }
        drop(matched);
        for (stay, fighting) in stays {
            let visited = stay.await.unwrap_or_default();
            drop(fighting);
            counters.visits.fetch_add(1, Relaxed);
            tracing::debug!(?visited, "a bot came back");
            if !visited.played {
                counters.shut_out.fetch_add(1, Relaxed);
                tracing::warn!(why = visited.why, "a bot was not let into its battle");
            }
        }
        Ok(())
    }

    /// Waits as the service asks for; false when nobody queues any more.
    async fn wait_after(&self, error: &CallError, closing: &mut Stop) -> bool {
        self.pool.counters.retries.fetch_add(1, Relaxed);
        let asked = match error {
            CallError::Refused { retry_after_s, .. } => Duration::from_secs(*retry_after_s),
            CallError::Network(_) => TRY_AGAIN,
        };
        let is_usual = matches!(
            error.status(),
            // A conflict: the battle it comes from is not stored as over yet.
            Some(
                StatusCode::CONFLICT
                    | StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::SERVICE_UNAVAILABLE
            )
        );
        if !is_usual {
            tracing::warn!(%error, "a bot tries again");
        }
        closing.wait(asked.max(TRY_AGAIN)).await
    }
}

/// The battle that a ticket leads to; `None` when it leads to none.
async fn wait(
    player: &mut Player,
    mut ticket: Ticket,
    closing: &mut Stop,
) -> Result<Option<Uuid>, CallError> {
    loop {
        match (TicketState::of_name(&ticket.state), ticket.battle_id) {
            (Some(TicketState::Matched), Some(battle_id)) => return Ok(Some(battle_id)),
            (Some(TicketState::Waiting | TicketState::Proposed), _) if closing.is_asked() => {
                match player.cancel(ticket.ticket_id).await {
                    Ok(()) => return Ok(None),
                    // Matched at the last moment.
                    Err(error) if error.status() == Some(StatusCode::CONFLICT) => {}
                    Err(error) => return Err(error),
                }
            }
            (Some(TicketState::Waiting | TicketState::Proposed), _) => {
                closing.wait(POLL_EVERY).await;
            }
            _ => return Ok(None),
        }
        ticket = player.ticket(ticket.ticket_id).await?;
    }
}

/// What lets a player into its battle; `None` when that is over, or nobody fights any more.
async fn admission(
    player: &mut Player,
    battle_id: Uuid,
    closing: &mut Stop,
) -> Result<Option<Admission>, CallError> {
    loop {
        match player.join(battle_id).await {
            Ok(admission) => return Ok(Some(admission)),
            Err(error) => match error.status() {
                Some(StatusCode::GONE) => return Ok(None),
                Some(StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE) => {}
                _ => return Err(error),
            },
        }
        // The server begins the battle, or it is given up: both end this.
        if !closing.wait(JOIN_EVERY).await {
            return Ok(None);
        }
    }
}

fn visit(pool: &BotPool, admission: &Admission) -> Option<oneshot::Receiver<Visited>> {
    let ticket = BASE64.decode(&admission.join_ticket).ok()?;
    let fingerprint = key_from_hex(&admission.fingerprint).ok()?;
    let (told, end) = oneshot::channel();
    let seed = u64::from_le_bytes(sortie_keys::random_bytes());
    let (addr, lane) = (admission.address, LanePolicy::Auto);
    pool.drivers.send(Visit { addr, fingerprint, ticket, lane, seed }, move |visited| {
        // The group is gone when everything is stopped at once.
        drop(told.send(visited));
    });
    Some(end)
}
