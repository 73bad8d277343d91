//! Starting a server: battle, keys, sockets, seats of those who were there.

use std::fs;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::Context;
use data_encoding::HEXLOWER;
use sortie_bridge::feed::Feed;
use sortie_bridge::noise::Noises;
use sortie_kit::health::Health;
use sortie_kit::ops::OpsListener;
use sortie_quic::{
    CloseCodes, Identity, SealedLanes, Server as Quic, ServerConfig, Shard as ShardPlace,
};
use sortie_session::history::FrameHistory;
use sortie_session::server::SessionConfig;
use sortie_sim::interest::Visibility;
use sortie_udp::{Socket, SocketOptions};
use sortie_wire::close::CloseCode;
use sortie_wire::limits::{CLIENT_MESSAGE_BYTES_MAX, DOCUMENTS_BYTES_MAX};
use sortie_wire::ticket::TicketSigner;

use super::bulletin::Bulletins;
use super::clock::Clock;
use super::ladder::Ladder;
use super::metrics::Metrics;
use super::newcomers::NewcomerBudget;
use super::orders::Orders;
use super::phases::Phases;
use super::seat::Seat;
use super::shard::Shard;
use super::work::{Work, process_cpu};
use super::{BattleServer, Counters, has_player};
use crate::admission::Admission;
use crate::config::{BattleServerConfig, Ready, TicketAuthority};
use crate::histogram::Histogram;
use crate::resume::{OpenedBattle, open_battle};
use crate::store::Store;
use crate::ticket_clock::TicketClock;

/// What one battle after the other uses: the place where clients connect and operators look.
pub(crate) struct Site {
    /// The data directory.
    pub store: Store,
    /// Who the server is to its clients.
    pub identity: Identity,
    /// Where clients connect; with the shards while a battle runs.
    pub sockets: Vec<Socket>,
    /// Whether the server is well.
    pub health: Health,
    /// What it counts.
    pub(super) metrics: Metrics,
    /// Ends with the site.
    pub ops: Option<OpsListener>,
    /// Starts of a server on this data directory, this one included.
    pub incarnation: u64,
}

impl Site {
    /// Counts the start and listens.
    ///
    /// # Errors
    /// A port is taken, or a file cannot be read.
    pub(crate) fn open(config: &BattleServerConfig, store: Store) -> anyhow::Result<Self> {
        let incarnation = store.next_incarnation()?;
        let identity = match &config.certificate {
            Some((chain, key)) => sortie_identity::from_pem(chain, key)?,
            None => sortie_identity::load_or_create(store.dir())?,
        };
        let listen = config.listen;
        let sockets = Socket::bind_shards(listen, config.shards, SocketOptions::default())
            .with_context(|| {
                format!("cannot listen at {listen} for clients; choose another with --listen")
            })?;
        let health = Health::default();
        let ops = open_ops(config, &health)?;
        let metrics = Metrics::new();
        Ok(Self { store, identity, sockets, health, metrics, ops, incarnation })
    }

    /// Where clients connect.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.sockets[0].local_addr()
    }
}

/// Whether clients can be told of this map and these rules.
///
/// # Errors
/// They are too long.
pub(crate) fn check_documents(config: &BattleServerConfig) -> anyhow::Result<()> {
    let documents = config.map.document().len() + config.rules.to_toml().len();
    anyhow::ensure!(
        documents <= DOCUMENTS_BYTES_MAX,
        "map and rules have {documents} bytes together; clients take {DOCUMENTS_BYTES_MAX}"
    );
    Ok(())
}

impl BattleServer {
    /// Opens the data directory, listens, and begins or takes up the battle. A battle is begun last
    /// and goes away with a start that fails: the next start would take it up without a word.
    ///
    /// # Errors
    /// What is in the way, and what to do.
    pub fn open(config: BattleServerConfig) -> anyhow::Result<Self> {
        let store = Store::open(&config.data_dir)?;
        check_documents(&config)?;
        let journal = store.journal_path();
        let site = Site::open(&config, store)?;
        // Taking up a battle may take seconds.
        site.health.set_not_ready("battle", Some("is not there yet".to_owned()));
        let opened = open_battle(&site.store, &config)?;
        site.health.set_not_ready("battle", None);
        let is_new = !opened.resumed;
        Self::begin(config, site, opened).inspect_err(|_| {
            if is_new {
                // What cannot be removed is told of by the next start, as taken up.
                drop(fs::remove_file(journal));
            }
        })
    }

    /// A server for `opened` at this site.
    ///
    /// # Errors
    /// A key cannot be read.
    pub(crate) fn begin(
        config: BattleServerConfig,
        mut site: Site,
        opened: OpenedBattle,
    ) -> anyhow::Result<Self> {
        let cpu_at_start = process_cpu();
        site.metrics.begin_battle();
        let store = &site.store;
        let (ticket_keys, dev_ticket_key) = match &config.tickets {
            TicketAuthority::PublicKeys(keys) => (keys.clone(), None),
            TicketAuthority::Dev => {
                let seed = store.key("dev-ticket-key")?;
                (TicketSigner::from_seed(seed).public_key().into(), Some(HEXLOWER.encode(&seed)))
            }
        };
        let resume_key = store.key("resume-key")?;
        let battle_id = opened.header.battle_id;
        let admission = Admission::new(ticket_keys, battle_id, &config.audience, &resume_key);
        let ready = Ready {
            listen: site.listen(),
            fingerprint: site.identity.fingerprint().to_string(),
            ops: site.ops.as_ref().map(OpsListener::addr),
            battle_id: format!("{battle_id:032x}"),
            data_dir: config.data_dir.clone(),
            dev_ticket_key,
            resumed: opened.resumed,
            tick: opened.battle.tick().0,
            incarnation: site.incarnation,
        };
        let rules = opened.battle.config();
        let now = Instant::now();
        let clock = Clock::new(rules.tick_hz, now);
        let newcomers = NewcomerBudget::of(clock.period());
        let shards = open_shards(&config, &mut site, &opened, newcomers)?;
        let session_config = SessionConfig {
            tick_hz: rules.tick_hz,
            bytes_per_s: config.client_bytes_per_s,
            rewind_ticks_max: rules.rewind_ticks_max(),
        };
        let mut server = Self {
            ladder: Ladder::new(rules.tick_hz, clock.period(), config.threads),
            feed: Feed::new(rules.tick_hz),
            bulletins: Bulletins::default(),
            visibility: Visibility::new(rules),
            hearing_m: rules.interest.hearing_m,
            history: FrameHistory::new(),
            noises: Noises::default(),
            clock,
            config,
            ready,
            site,
            orders: Orders::default(),
            battle: opened.battle,
            header: opened.header,
            journal: opened.journal,
            journal_is_dead: false,
            roster: opened.roster,
            admission,
            ticket_clock: TicketClock::by_wall(),
            session_config,
            shards,
            homes: Vec::new(),
            slots: Default::default(),
            arrivals: Vec::new(),
            commands: Vec::new(),
            admitted: Vec::new(),
            counters: Counters::default(),
            phases: Phases::new(now),
            tick_us: Histogram::default(),
            tick_cpu_us: Histogram::default(),
            work: Work::new(now),
            tick_own_us: Histogram::default(),
            cpu_at_start,
        };
        server.keep_seats(now);
        Ok(server)
    }

    /// Everybody who was in the battle has the grace time to come back.
    fn keep_seats(&mut self, now: Instant) {
        let tick = self.battle.tick().0;
        let rows = self.battle.view().soldiers.iter();
        let players: Vec<_> =
            rows.filter(|row| has_player(row.status)).map(|row| (row.slot, row.key)).collect();
        for (slot, key) in players {
            self.slots.insert(key, slot);
            self.feed.set_person(slot, self.roster.name(slot), false);
            self.place(0, Seat::new(slot, key, self.session_config, tick, now));
        }
    }
}

fn open_shards(
    config: &BattleServerConfig,
    site: &mut Site,
    opened: &OpenedBattle,
    newcomers: NewcomerBudget,
) -> anyhow::Result<Vec<Shard>> {
    let sockets = std::mem::take(&mut site.sockets);
    let identity = &site.identity;
    let secrets = sortie_identity::load_or_create_secrets(site.store.dir())?;
    let players_max = usize::from(opened.battle.config().players_max);
    let now = Instant::now();
    let open = |(index, socket): (usize, Socket)| {
        let mut quic = ServerConfig::new(identity.clone(), secrets.clone());
        quic.shard = ShardPlace { index: index as u8, count: config.shards as u16 };
        // Everybody may come back at once while the old connections are still dying.
        quic.connections_max = 2 * players_max + 64;
        quic.accepts_per_pass = newcomers.handshakes;
        quic.frame_bytes_max = CLIENT_MESSAGE_BYTES_MAX;
        let malformed = u32::from(CloseCode::Malformed.number());
        quic.codes = CloseCodes { malformed_frame: malformed, stream_misuse: malformed };
        let place = quic.shard;
        let lanes = config.sealed_lane.then(|| SealedLanes::new(place, quic.connections_max));
        Ok(Shard::new(socket, Quic::new(quic, now)?, lanes.transpose()?, now))
    };
    sockets.into_iter().enumerate().map(open).collect()
}

fn open_ops(config: &BattleServerConfig, health: &Health) -> anyhow::Result<Option<OpsListener>> {
    let Some(addr) = config.ops else { return Ok(None) };
    let recorder = sortie_kit::metrics::recorder()?;
    OpsListener::start(addr, health.clone(), recorder).map(Some)
}
