//! The line to the control plane: registration, heartbeats up, orders down.

use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sortie_keys::PublicKeys;
use sortie_rpc::fleet::v1::fleet_client::FleetClient;
use sortie_rpc::fleet::v1::order::What;
use sortie_rpc::fleet::v1::{
    Heartbeat, Load, OpenBattle, Order, RefusedBattle, RegisterRequest, RegisterResponse,
};
use sortie_sim::id::PlayerKey;
use sortie_wire::limits::PROTOCOL_VERSION;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use uuid::Uuid;

use super::backoff::Backoff;
use super::config::FleetConfig;
use super::folder::Folders;
use super::order::BattleOrder;
use super::spool::Spool;
use super::status;
use super::trouble::{Kind, Trouble};
use crate::config::BattleServerConfig;
use crate::server::mailbox::{Command, Shared, Wish};
use crate::ticket_clock::TicketClock;

/// How long connecting, and the answer to a call, may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The same when the control plane has several addresses.
const ANSWER_WITHIN_OF_SEVERAL: Duration = Duration::from_secs(1);
/// Heartbeats that may wait for the network.
const HEARTBEATS_MAX: usize = 4;
/// How long the agent waits for room in the queue of commands before it looks again.
const QUEUE_PAUSE: Duration = Duration::from_millis(10);
/// How far the machine's clock may be from the control plane's before that is told.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(2);
/// How long a name that is another server's is left alone. It becomes free when that server was
/// gone for long, and no sooner for being asked for.
const NAME_PAUSE: Duration = Duration::from_secs(10);
/// Text and reasons are cut to this; the wire cuts them to its own bounds.
const TEXT_BYTES_MAX: usize = 1_024;

/// A channel to each node of the control plane, which connects when it is used, and what opens the
/// door.
#[derive(Clone)]
pub(super) struct Line {
    channels: Vec<Channel>,
    turn: Arc<Mutex<Turn>>,
    bearer: Bearer,
}

/// Which address is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Turn {
    /// The one that served last.
    good: usize,
    /// How many behind it were tried since, without success.
    failed: usize,
}

impl Turn {
    fn at(self, addresses: usize) -> usize {
        (self.good + self.failed) % addresses
    }

    /// The present one does not serve: the next one is on. Whether there is one that was not tried
    /// since the last pause; if not, the round begins anew, with the good one.
    fn go_on(&mut self, addresses: usize) -> bool {
        self.failed += 1;
        let has_next = self.failed < addresses;
        if !has_next {
            self.failed = 0;
        }
        has_next
    }

    /// The present one serves.
    fn stay(&mut self, addresses: usize) {
        *self = Self { good: self.at(addresses), failed: 0 };
    }
}

/// Puts the secret, or the server's credential, into every call. The value is marked as sensitive:
/// `Debug` shows that and no more.
#[derive(Clone, Debug)]
pub(super) struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    fn new(credential: &str) -> anyhow::Result<Self> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {credential}").parse()?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl Line {
    /// A line to where `config` says; needs a runtime around it.
    pub(super) fn new(config: &FleetConfig) -> anyhow::Result<Self> {
        // With another node to go to, one that hangs is not waited for so long.
        let patience = match &*config.control_planes {
            [_] => ANSWER_WITHIN,
            _ => ANSWER_WITHIN_OF_SEVERAL,
        };
        let channel = |address: &String| -> anyhow::Result<Channel> {
            let mut endpoint = Endpoint::from_shared(address.clone())
                .with_context(|| format!("'{address}' is no address"))?;
            if address.starts_with("https://") {
                let roots = config.roots.as_ref().context("https needs the roots to trust")?;
                ensure!(roots.contains("BEGIN CERTIFICATE"), "the roots to trust are no PEM");
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots));
                endpoint = endpoint.tls_config(tls).context("the roots cannot be used")?;
            }
            let endpoint = endpoint
                .connect_timeout(patience)
                .http2_keep_alive_interval(patience)
                .keep_alive_timeout(patience)
                .keep_alive_while_idle(true)
                .tcp_nodelay(true);
            Ok(endpoint.connect_lazy())
        };
        let channels = config.control_planes.iter().map(channel).collect::<Result<_, _>>()?;
        let bearer = Bearer::new(config.secret.as_str())?;
        Ok(Self { channels, turn: Arc::default(), bearer })
    }

    /// The channel to the node that is used at present.
    pub(super) fn channel(&self) -> Channel {
        self.channels[self.turn().at(self.channels.len())].clone()
    }

    /// See [`Turn::go_on`].
    fn go_on(&self) -> bool {
        self.turn().go_on(self.channels.len())
    }

    /// See [`Turn::stay`].
    fn stay(&self) {
        self.turn().stay(self.channels.len());
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What opens registration: the secret.
    pub(super) fn bearer(&self) -> Bearer {
        self.bearer.clone()
    }

    /// What opens the rest: the credential of this registration. A control plane of before there
    /// were credentials is shown the secret.
    pub(super) fn bearer_of(&self, registration: &Registration) -> Bearer {
        registration.credential.clone().unwrap_or_else(|| self.bearer())
    }
}

/// Who the server is to the control plane.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    pub server_id: Uuid,
    pub epoch: u64,
    pub heartbeat: Duration,
    /// What it shows from now on; `None`: the secret.
    pub credential: Option<Bearer>,
}

/// What the server says of itself.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub name: String,
    pub address: String,
    pub fingerprint: [u8; 32],
    /// Proves that the name is its own; kept over restarts.
    pub identity: [u8; 32],
}

pub(super) struct Link {
    pub facts: Facts,
    pub line: Line,
    pub base: BattleServerConfig,
    pub folders: Folders,
    pub spool: Spool,
    pub shared: Arc<Shared>,
    pub commands: SyncSender<Command>,
    pub registration: watch::Sender<Option<Registration>>,
    /// Newest order that was handed to the mailbox in this process.
    pub taken: u64,
}

/// Why a stream ended.
enum Gone {
    /// The network, the other side's restart, or a secret that it does not know.
    Away(Trouble),
    /// The registration does not hold any more.
    Unknown,
    /// The server ends.
    Over,
}

type Client = FleetClient<tonic::service::interceptor::InterceptedService<Channel, Bearer>>;

impl Link {
    /// Keeps the server known, until it is to say goodbye.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new();
        let mut is_known = false;
        let mut away = None;
        loop {
            let mut why_away = None;
            if !is_known {
                let (channel, secret) = (self.line.channel(), self.line.bearer());
                let mut client = FleetClient::with_interceptor(channel, secret);
                match self.register(&mut client).await {
                    Ok(()) => is_known = true,
                    Err(error) => why_away = Some(Trouble::of(&error)),
                }
            }
            if is_known {
                let mut lasted = false;
                match self.serve(&mut lasted, &mut away).await {
                    Gone::Away(why) => why_away = Some(why),
                    Gone::Unknown => is_known = false,
                    Gone::Over => return,
                }
                if lasted {
                    backoff.reset();
                }
            }
            let mut pause_least = Duration::ZERO;
            if let Some(why) = why_away {
                // Another node knows the server by the same registration: it is asked at once.
                if self.line.go_on() {
                    tracing::info!(why = why.why, "a node does not serve; the next one is asked");
                    continue;
                }
                if why.kind == Kind::NameTaken {
                    pause_least = NAME_PAUSE;
                }
                why.note(&mut away, &self.facts.name);
            }
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                () = sleep(backoff.wait().max(pause_least)) => {}
                () = shared.goodbye.notified() => return,
            }
        }
    }

    async fn register(&mut self, client: &mut Client) -> anyhow::Result<()> {
        let battles = self.shared.unfinished().iter().map(|id| uuid_text(*id)).collect();
        let request = RegisterRequest {
            name: self.facts.name.clone(),
            address: self.facts.address.clone(),
            fingerprint: self.facts.fingerprint.to_vec(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: PROTOCOL_VERSION.into(),
            battles_max: 1,
            players_max: self.base.rules.players_max.into(),
            battles,
            identity: self.facts.identity.to_vec(),
        };
        let asked_at = Instant::now();
        let answer = timeout(ANSWER_WITHIN, client.register(request)).await??.into_inner();
        let registration = read_registration(&answer)?;
        let first = std::iter::once(&answer.ticket_public_key);
        let ticket_keys = read_ticket_keys(first.chain(&answer.other_ticket_public_keys))?;
        self.take_ticket_keys(ticket_keys);
        if let Ok(time_ms @ 1..) = u64::try_from(answer.time_ms) {
            self.set_clock(time_ms, asked_at.elapsed());
        }
        let before = self.registration.borrow().clone();
        if before.is_some_and(|before| before.server_id != registration.server_id) {
            // Another control plane: its orders are numbered anew.
            self.taken = 0;
        }
        for battle in answer.forget.iter().filter_map(|battle| battle.parse::<Uuid>().ok()) {
            tracing::warn!(%battle, "the control plane wants a battle given up");
            self.hand_over(0, Wish::Forget(battle.as_u128())).await;
        }
        let (server_id, epoch) = (registration.server_id, registration.epoch);
        tracing::info!(%server_id, epoch, "registered at the control plane");
        self.registration.send_replace(Some(registration));
        Ok(())
    }

    /// Join tickets are judged by the control plane's clock, whatever this machine's says. Its time
    /// was told last of all in a call that took `took`.
    fn set_clock(&self, time_ms: u64, took: Duration) {
        let clock = TicketClock::set_to(time_ms);
        self.shared.set_clock(clock);
        let ahead_ms = TicketClock::by_wall().ahead_of_ms(&clock);
        metrics::gauge!("sortie_clock_ahead_seconds").set(ahead_ms as f64 / 1e3);
        if Duration::from_millis(ahead_ms.unsigned_abs()) > CLOCK_OFF_MAX + took {
            tracing::warn!(
                ahead_s = ahead_ms as f64 / 1e3,
                "this machine's clock is not the control plane's; set it (NTP). Join tickets are \
                 judged by the control plane's"
            );
        }
    }

    /// Heartbeats up and orders down, until something ends it.
    async fn serve(&mut self, lasted: &mut bool, away: &mut Option<Kind>) -> Gone {
        let Some(registration) = self.registration.borrow().clone() else { return Gone::Unknown };
        let bearer = self.line.bearer_of(&registration);
        let mut client = FleetClient::with_interceptor(self.line.channel(), bearer);
        let (heartbeats, stream) = mpsc::channel(HEARTBEATS_MAX);
        // The first one is there before the call: the other side may wait for it to answer.
        let Ok(()) = heartbeats.try_send(self.heartbeat(&registration)) else {
            return Gone::Away(Trouble::away("cannot send"));
        };
        let mut orders =
            match timeout(ANSWER_WITHIN, client.serve(ReceiverStream::new(stream))).await {
                Err(_) => return Gone::Away(Trouble::away("it does not answer")),
                Ok(Err(status)) => return gone(&status),
                Ok(Ok(response)) => response.into_inner(),
            };
        *lasted = true;
        self.line.stay();
        if away.take().is_some() {
            tracing::info!("the control plane is there again");
        }
        let mut beat = interval(registration.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = shared.news.notified() => {}
                () = shared.goodbye.notified() => {
                    // The last acknowledgements; the other side closes when it has read them.
                    drop(heartbeats.try_send(self.heartbeat(&registration)));
                    drop(heartbeats);
                    while let Ok(Some(_)) = orders.message().await {}
                    return Gone::Over;
                }
                order = orders.message() => match order {
                    Ok(Some(order)) => {
                        self.take(order).await;
                        continue;
                    }
                    Ok(None) => return Gone::Away(Trouble::away("the stream has ended")),
                    Err(status) => return gone(&status),
                },
            }
            let heartbeat = self.heartbeat(&registration);
            match timeout(ANSWER_WITHIN, heartbeats.send(heartbeat)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Gone::Away(Trouble::away("the stream is closed")),
                Err(_) => return Gone::Away(Trouble::away("it does not read")),
            }
        }
    }

    fn heartbeat(&self, registration: &Registration) -> Heartbeat {
        let standing = self.shared.standing();
        let refused = self.shared.refused().into_iter();
        Heartbeat {
            server_id: registration.server_id.to_string(),
            epoch: registration.epoch,
            order_done: self.shared.done(),
            load: Some(
                standing.as_ref().map_or_else(Load::default, |standing| status::load(standing)),
            ),
            battles: standing.iter().map(|standing| status::battle_status(standing)).collect(),
            is_draining: self.shared.is_draining(),
            refused: refused
                .map(|(id, why)| RefusedBattle { battle_id: uuid_text(id), why })
                .collect(),
        }
    }

    /// From now on these count, after a restart as well.
    fn take_ticket_keys(&self, keys: PublicKeys) {
        if self.shared.ticket_keys().is_some_and(|known| *known == keys) {
            return;
        }
        if let Err(error) = self.folders.keep_ticket_keys(&keys) {
            tracing::error!(%error, "keys of join tickets cannot be kept for a restart");
        }
        self.shared.set_ticket_keys(keys);
    }

    async fn take(&mut self, order: Order) {
        if let Some(What::TicketKeys(keys)) = &order.what {
            match read_ticket_keys(&keys.public_keys) {
                Ok(keys) => self.take_ticket_keys(keys),
                Err(error) => tracing::warn!(%error, "keys of join tickets are passed over"),
            }
            return;
        }
        // It comes again after a reconnect until it is acknowledged.
        if order.order_id <= self.taken {
            return;
        }
        self.taken = order.order_id;
        let wish = self.wish(order.what);
        self.hand_over(order.order_id, wish).await;
    }

    fn wish(&self, what: Option<What>) -> Wish {
        let id = |text: &str| text.parse::<Uuid>().ok().map(|id| id.as_u128());
        let wish = match what {
            Some(What::Open(open)) => return self.open(&open),
            Some(What::Kick(kick)) => id(&kick.player_id).map(|player| Wish::Kick {
                battle: id(&kick.battle_id),
                player: PlayerKey(player),
                reason: cut(kick.reason),
            }),
            Some(What::Message(say)) => {
                id(&say.battle_id).map(|battle| Wish::Say { battle, text: cut(say.text) })
            }
            Some(What::End(end)) => id(&end.battle_id).map(Wish::End),
            Some(What::Erase(erase)) => id(&erase.player_id).map(|player| {
                self.erase(PlayerKey(player));
                Wish::Nothing
            }),
            Some(What::Drain(_)) => Some(Wish::Drain),
            // They were taken before.
            Some(What::TicketKeys(_)) | None => None,
        };
        wish.unwrap_or_else(|| {
            tracing::warn!("an order of the control plane makes no sense; it is passed over");
            Wish::Nothing
        })
    }

    /// Takes a player's name out of all journals and replays. What is being written just now is
    /// looked through once more when its battle is over.
    fn erase(&self, player: PlayerKey) {
        self.shared.erased().insert(player);
        match self.folders.blank(&[player]) {
            Ok(names) => tracing::info!(names, "a player's name is taken out of replays"),
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "a player's name cannot be taken out of all replays"
                );
            }
        }
    }

    /// Puts the order on the disk before anything else happens to it.
    fn open(&self, open: &OpenBattle) -> Wish {
        let Ok(id) = open.battle_id.parse::<Uuid>().map(|id| id.as_u128()) else {
            tracing::warn!("a battle without an id is ordered; it is passed over");
            return Wish::Nothing;
        };
        match self.keep_order(id, open) {
            Ok(true) => Wish::Open(id),
            Ok(false) => Wish::Nothing,
            Err(error) => {
                self.shared.refuse(id, &format!("{error:#}"));
                Wish::Nothing
            }
        }
    }

    /// False: the battle is over already.
    fn keep_order(&self, id: u128, open: &OpenBattle) -> anyhow::Result<bool> {
        if self.folders.holds(id) {
            return Ok(true);
        }
        if self.folders.store_of(id).replay_path(id).exists() || self.spool.holds(id)? {
            return Ok(false);
        }
        anyhow::ensure!(!self.shared.is_draining(), "the server takes no new battles");
        if let Some(why) = self.spool.why_full()? {
            anyhow::bail!("the spool is full: {why}");
        }
        let ticket_keys = self.shared.ticket_keys().context("no keys of join tickets were told")?;
        let order = BattleOrder::read(open, &ticket_keys, &self.base)?;
        self.shared.unfinished().insert(id);
        let kept = self.folders.create(&order).context("cannot keep the order");
        if kept.is_err() {
            self.shared.unfinished().remove(&id);
        }
        kept.map(|()| true)
    }

    async fn hand_over(&self, order_id: u64, wish: Wish) {
        let mut command = Command { order_id, wish };
        loop {
            command = match self.commands.try_send(command) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(command)) => command,
            };
            sleep(QUEUE_PAUSE).await;
        }
    }
}

fn uuid_text(id: u128) -> String {
    Uuid::from_u128(id).to_string()
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

fn gone(status: &Status) -> Gone {
    match status.code() {
        // The credential is of another control plane, or its keys are new: another comes with the
        // next registration. If the secret is wrong, that says so.
        Code::FailedPrecondition | Code::NotFound | Code::Unauthenticated => Gone::Unknown,
        _ => Gone::Away(Trouble::of_status(status)),
    }
}

fn read_registration(answer: &RegisterResponse) -> anyhow::Result<Registration> {
    let credential = (!answer.credential.is_empty()).then(|| Bearer::new(&answer.credential));
    Ok(Registration {
        server_id: answer.server_id.parse().context("the server id is no UUID")?,
        epoch: answer.epoch,
        heartbeat: Duration::from_millis(answer.heartbeat_ms.clamp(50, 60_000).into()),
        credential: credential.transpose().context("the credential is none")?,
    })
}

fn read_ticket_keys<'a>(keys: impl IntoIterator<Item = &'a Vec<u8>>) -> anyhow::Result<PublicKeys> {
    let mut keys = keys.into_iter().map(|key| <[u8; 32]>::try_from(key.as_slice()));
    let first = keys.next().context("there is no key of join tickets")?;
    let others: Result<Vec<_>, _> = keys.collect();
    let (Ok(first), Ok(others)) = (first, others) else {
        anyhow::bail!("a key of join tickets must have 32 bytes");
    };
    Ok(PublicKeys::new(first, others)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_does_not_show_what_it_carries() {
        let shown = format!("{:?}", Bearer::new("a secret of some length").unwrap());
        assert_eq!(shown, "Bearer(Sensitive)");
    }

    #[test]
    fn the_last_good_address_is_asked_first_and_all_others_before_a_pause() {
        let mut turn = Turn::default();
        let mut asked = Vec::new();
        for _ in 0..2 {
            asked.push(turn.at(3));
            while turn.go_on(3) {
                asked.push(turn.at(3));
            }
        }
        assert_eq!(asked, [0, 1, 2, 0, 1, 2]);
        assert!(turn.go_on(3));
        turn.stay(3);
        assert_eq!(turn.at(3), 1);
        // It is lost: the others, and then it again.
        assert!(turn.go_on(3) && turn.at(3) == 2);
        assert!(turn.go_on(3) && turn.at(3) == 0);
        assert!(!turn.go_on(3) && turn.at(3) == 1);
        let mut only = Turn::default();
        assert!(!only.go_on(1) && only.at(1) == 0);
    }
}
