//! The server: one thread owns the battle and ticks; shards of clients work beside it.
//!
//! A tick, in order: shards receive · hellos are answered · inputs and requests become commands ·
//! the battle steps · what is visible is found out · shards tell their players and send · the
//! journal takes the commands, last, so that its thread works while the tick's rests. Nothing acts
//! directly in reaction to a packet, and the tick waits for nobody: not for a client, not for the
//! disk.

mod bulletin;
mod clock;
mod end;
mod guest;
mod join;
mod ladder;
mod lanes;
pub(crate) mod mailbox;
mod metrics;
mod newcomers;
mod open;
mod orders;
mod phases;
mod seat;
mod shard;
pub(crate) mod standing;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon::ThreadPool;
use rayon::prelude::*;
use sortie_bridge::feed::Feed;
use sortie_bridge::frame::publish;
use sortie_bridge::input::input_command;
use sortie_bridge::noise::Noises;
use sortie_rpc::ranking::EndedBy;
use sortie_session::history::FrameHistory;
use sortie_session::inputs::InputCounters;
use sortie_session::server::SessionConfig;
use sortie_sim::Battle;
use sortie_sim::command::Command;
use sortie_sim::event::Event;
use sortie_sim::id::{PlayerKey, PlayerSlot};
use sortie_sim::interest::Visibility;
use sortie_sim::view::{RoundState, Status};
use sortie_wire::close::CloseCode;
use sortie_wire::message::{LoadStep, ServerMessage};

use crate::admission::Admission;
use crate::config::{BattleServerConfig, Ready};
use crate::failpoint::Failpoints;
use crate::histogram::Histogram;
use crate::journal::{Admitted, Checkpoint, Journal, JournalHeader, JournalRoster};
use crate::report::BattleReport;
use crate::ticket_clock::TicketClock;
use bulletin::Bulletins;
use clock::Clock;
pub(crate) use end::Finished;
use join::Arrival;
use ladder::{Cost, Ladder};
pub(crate) use open::{Site, check_documents};
use orders::Orders;
use phases::{Phase, Phases};
use shard::{Outlook, Shard};
use work::{Took, Work};

/// A checkpoint is written every so many seconds.
pub const CHECKPOINT_S: u32 = 15;

/// Counters that are no metric's own.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    ticks: u64,
    overruns: u64,
    /// Of these, the ticks that were left out to catch up.
    left_out: u64,
    /// Time that others took from ticks.
    stolen: Duration,
    clients_peak: usize,
    clients_lost: u64,
    resumes: u64,
    turned_away: u64,
    overload_step_max: u8,
    /// Of players whose seats are gone.
    inputs: InputCounters,
}

/// Paths of clients are shown in metrics every so many ticks.
const PATHS_SHOWN_TICKS: u32 = 64;

/// A battle server.
pub struct BattleServer {
    config: BattleServerConfig,
    ready: Ready,
    site: Site,
    orders: Orders,

    battle: Battle,
    header: JournalHeader,
    journal: Journal,
    journal_is_dead: bool,
    roster: JournalRoster,
    admission: Admission,
    ticket_clock: TicketClock,
    session_config: SessionConfig,

    shards: Vec<Shard>,
    /// Which shard holds a player's seat; index = slot.
    homes: Vec<Option<u8>>,
    /// The slots of players who have not left.
    slots: BTreeMap<PlayerKey, PlayerSlot>,
    arrivals: Vec<Arrival>,

    history: FrameHistory,
    visibility: Visibility,
    noises: Noises,
    /// How far shots are heard, metres.
    hearing_m: f32,
    feed: Feed,
    bulletins: Bulletins,

    clock: Clock,
    ladder: Ladder,
    commands: Vec<Command>,
    admitted: Vec<Admitted>,
    counters: Counters,
    phases: Phases,
    tick_us: Histogram,
    tick_own_us: Histogram,
    tick_cpu_us: Histogram,
    work: Work,
    cpu_at_start: Duration,
}

/// Runs a battle server until the battle ends or `stop` is set; `on_ready` is called when clients
/// can connect.
///
/// # Errors
/// It cannot start: a port is taken, a file cannot be read, the journal cannot be trusted.
pub fn run(
    mut config: BattleServerConfig,
    stop: &AtomicBool,
    on_ready: impl FnOnce(&Ready),
) -> anyhow::Result<BattleReport> {
    if let Some(failpoints) = Failpoints::from_environment()? {
        config.journal.failpoints = failpoints;
    }
    let mut server = BattleServer::open(config)?;
    on_ready(server.ready());
    server.start_clock(Instant::now());
    let ended_by = server.play(stop);
    server.end(ended_by)
}

/// Why a battle server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to.
    Stopped,
    /// Its time is over.
    Duration,
    /// The round is over.
    Round,
    /// An operator ended it.
    Operator,
    /// The control plane gave it up: there is no result.
    Forgotten,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 5] =
        [Self::Stopped, Self::Duration, Self::Round, Self::Operator, Self::Forgotten];

    /// What the result says of it. `None`: there is no result.
    pub fn ended_by(self) -> Option<EndedBy> {
        match self {
            Self::Stopped => Some(EndedBy::Stopped),
            Self::Duration => Some(EndedBy::Duration),
            Self::Round => Some(EndedBy::Round),
            Self::Operator => Some(EndedBy::Operator),
            Self::Forgotten => None,
        }
    }

    /// What the server's report calls it.
    pub fn name(self) -> String {
        self.ended_by().map_or_else(|| "forgotten".to_owned(), |end| end.name().to_owned())
    }
}

impl BattleServer {
    /// What clients need to connect.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The battle as it stands.
    pub fn battle(&self) -> &Battle {
        &self.battle
    }

    /// The journal that is being written.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Players with a connection.
    pub fn connected(&self) -> usize {
        self.shards.iter().map(Shard::connected).sum()
    }

    /// Starts the clock anew: the first tick is due a period after `now`.
    pub fn start_clock(&mut self, now: Instant) {
        self.clock = Clock::new(self.battle.config().tick_hz, now);
        self.work = Work::new(now);
    }

    /// From now on join tickets expire by this clock.
    pub fn set_ticket_clock(&mut self, clock: TicketClock) {
        self.ticket_clock = clock;
    }

    /// Ticks until the battle should end or `stop` is set.
    pub(crate) fn play(&mut self, stop: &AtomicBool) -> Ending {
        loop {
            let now = Instant::now();
            if let Some(wait) = self.due().checked_duration_since(now).filter(|d| !d.is_zero()) {
                std::thread::sleep(wait);
                continue;
            }
            if stop.load(Ordering::Relaxed) {
                return Ending::Stopped;
            }
            self.tick(now);
            if let Some(ending) = self.ending() {
                return ending;
            }
        }
    }

    /// When the next tick is due.
    pub fn due(&self) -> Instant {
        self.clock.due()
    }

    /// One tick of the server.
    pub fn tick(&mut self, now: Instant) {
        let began = Instant::now();
        let due = self.clock.due();
        self.work.begin(now);
        let left_out = self.clock.begin(now);
        self.site.health.beat(now);
        self.phases.begin(now);
        self.obey(now);
        let last = self.battle.tick().0;
        let Self { battle, shards, work, .. } = self;
        each_shard(battle.pool(), shards, work, |shard| shard.receive(now, last));
        self.phases.end(Phase::Receive);
        self.answer_hellos(now);
        self.gather_commands(now);
        self.phases.end(Phase::Gather);
        self.step();
        self.phases.end(Phase::Step);
        self.look();
        self.phases.end(Phase::Look);
        self.tell();
        self.phases.end(Phase::Tell);
        // A time of its own: encoding may have taken milliseconds.
        let sent_at = now + began.elapsed();
        let Self { battle, shards, work, .. } = self;
        each_shard(battle.pool(), shards, work, |shard| shard.transmit(sent_at));
        self.phases.end(Phase::Send);
        self.record();
        self.phases.end(Phase::Record);
        let now = self.note_work(due, left_out);
        if self.battle.tick().0.is_multiple_of(16) {
            self.show_metrics();
        }
        self.site.health.beat(now);
    }

    /// Why the server should end now, if it should.
    pub fn ending(&self) -> Option<Ending> {
        if let Some(ordered) = self.orders.ending {
            return Some(ordered);
        }
        let tick = self.battle.tick().0;
        let hz = f64::from(self.battle.config().tick_hz);
        let ticks_in = |duration: Duration| (duration.as_secs_f64() * hz).ceil() as u32;
        if let RoundState::Ended { at, .. } = self.battle.view().round
            && self.battle.is_over()
            && tick.saturating_sub(at.0) >= ticks_in(self.config.linger)
        {
            return Some(Ending::Round);
        }
        let is_over = self.battle.last_tick().is_some_and(|last| tick >= last.0);
        is_over.then_some(Ending::Duration)
    }

    /// What players want becomes commands, after the joins that are there already.
    fn gather_commands(&mut self, now: Instant) {
        let tick = self.battle.tick().0 + 1;
        let grace = self.config.grace;
        let tick_hz = self.battle.config().tick_hz;
        for shard in &mut self.shards {
            for seat in shard.seats.values_mut() {
                let player = seat.slot;
                let requests = seat.requests.drain(..);
                self.commands.extend(requests.map(|action| Command { player, action }));
                let away = seat.away_since.map(|since| now.saturating_duration_since(since));
                if away.is_some_and(|away| away > grace) {
                    self.counters.clients_lost += 1;
                    self.commands.push(Command { player, action: seat.leave(tick, tick_hz, now) });
                }
                let taken = seat.session.take_input(tick);
                self.commands.push(input_command(player, &taken.command));
                let is_here = seat.peer.is_some();
                if std::mem::replace(&mut seat.was_here, is_here) != is_here {
                    self.feed.set_person(player, self.roster.name(player), is_here);
                }
            }
        }
        // Mostly sorted already: one shard's seats come in order.
        if !self.commands.is_sorted_by_key(|command| command.player) {
            self.commands.sort_by_key(|command| command.player);
        }
    }

    fn step(&mut self) {
        let output = self.battle.step(&self.commands);
        self.roster.note_tick(output);
        self.noises.gather(&output.events, self.hearing_m);
        let left: Vec<PlayerSlot> = output.events.iter().filter_map(left_player).collect();
        left.into_iter().for_each(|slot| self.vacate(slot));
        self.feed.note_tick(self.battle.output(), self.battle.view());
    }

    /// Hands the tick to the journal, and now and then the whole state.
    fn record(&mut self) {
        let (tick, hash) = (self.battle.tick(), self.battle.state_hash());
        self.journal.push_tick(tick, hash as u32, &self.commands, &self.admitted);
        self.commands.clear();
        self.admitted.clear();
        let every = CHECKPOINT_S * u32::from(self.battle.config().tick_hz);
        if tick.0.is_multiple_of(every) && !self.journal.is_dead() {
            let mut checkpoint = Checkpoint { battle: Vec::new(), roster: self.roster.clone() };
            self.battle.checkpoint(&mut checkpoint.battle);
            self.journal.push_checkpoint(tick, checkpoint);
        }
    }

    /// The player of `slot` left for good.
    fn vacate(&mut self, slot: PlayerSlot) {
        let home = self.homes.get(usize::from(slot.0)).copied().flatten();
        let Some(seat) = self.take_seat(slot) else { return };
        self.slots.remove(&seat.key);
        self.counters.inputs = self.counters.inputs.plus(seat.session.input_counters());
        if let (Some(home), Some(peer)) = (home, seat.peer) {
            self.shards[usize::from(home)].close(peer, CloseCode::Left);
        }
        self.homes[usize::from(slot.0)] = None;
    }

    /// What players may know of the tick.
    fn look(&mut self) {
        publish(self.battle.view(), &self.battle.config().movement, &mut self.history);
        let (view, field) = (self.battle.view(), self.battle.field());
        self.visibility.update(view, field, self.battle.pool());
    }

    fn tell(&mut self) {
        let tick = self.battle.tick().0;
        for message in self.feed.take() {
            if bulletin::is_urgent(&message) {
                self.tell_all(tick, &message);
            } else if let Some(bytes) = encoded(&message) {
                self.bulletins.push(tick, bytes);
            }
        }
        self.post_bulletins(tick);
        self.welcome_arrivals();
        self.note_journal();
        let outlook = Outlook {
            view: self.battle.view(),
            history: &self.history,
            visibility: &self.visibility,
            noises: &self.noises,
            load: self.ladder.step(),
            // Without a journal nothing will ever be durable, and nothing can be taken back.
            released: if self.journal_is_dead { u32::MAX } else { self.journal.durable().0 },
            tick_hz: self.battle.config().tick_hz,
        };
        let pool = self.battle.pool();
        each_shard(pool, &mut self.shards, &mut self.work, |shard| shard.tell(&outlook));
    }

    /// A message for every player who is here, when `tick` is durable.
    fn tell_all(&mut self, tick: u32, message: &ServerMessage) {
        let Some(bytes) = encoded(message) else { return };
        for shard in &mut self.shards {
            for seat in shard.seats.values_mut().filter(|seat| seat.peer.is_some()) {
                seat.outbox.push_back((tick, Arc::clone(&bytes)));
            }
        }
    }

    /// Bulletins for the players whose tick of the second this is.
    fn post_bulletins(&mut self, tick: u32) {
        let tick_hz = self.battle.config().tick_hz;
        let Self { shards, bulletins, .. } = self;
        let seats = shards.iter_mut().flat_map(|shard| shard.seats.values_mut());
        for seat in seats.filter(|seat| bulletin::is_due(seat.slot, tick, tick_hz)) {
            if seat.peer.is_some() {
                seat.outbox.extend(bulletins.since(seat.bulletin_next).cloned());
            }
            seat.bulletin_next = bulletins.end();
        }
        bulletins.forget(tick, tick_hz);
    }

    fn note_journal(&mut self) {
        if !self.journal_is_dead && self.journal.is_dead() {
            self.journal_is_dead = true;
            self.site.metrics.journal_errors.increment(1);
            // The writer has said so in the log. The battle goes on, but takes nobody new soon.
            self.site.health.set_not_ready("journal", Some("cannot be written".to_owned()));
        }
    }

    /// Accounts for the tick that was due at `due`; gives the time.
    fn note_work(&mut self, due: Instant, left_out: u32) -> Instant {
        let now = Instant::now();
        let threads = self.battle.pool().map_or(0, ThreadPool::current_num_threads);
        let took = self.work.end(now, due, threads);
        let Took { wall, own, cpu, stolen } = took;
        if self.battle.tick().0 == self.config.report_from_tick {
            (self.tick_us, self.tick_own_us, self.tick_cpu_us) = Default::default();
            self.phases = Phases::new(now);
        }
        self.counters.ticks += 1;
        self.counters.overruns += u64::from(wall > self.clock.period()) + u64::from(left_out);
        self.counters.left_out += u64::from(left_out);
        self.counters.stolen += stolen;
        self.tick_us.record(wall.as_micros() as u64);
        self.tick_own_us.record(own.as_micros() as u64);
        self.tick_cpu_us.record(cpu.as_micros() as u64);
        self.site.metrics.note_tick(&took);
        self.counters.clients_peak = self.counters.clients_peak.max(self.connected());
        self.show_standing(wall);
        if self.ladder.note(Cost { own, cpu }) {
            let step = self.ladder.step();
            tracing::warn!(?step, "the overload step changed");
            self.counters.overload_step_max = self.counters.overload_step_max.max(step as u8);
            // Not to everybody at once: that would be a tick of twice the work.
            if let Some(bytes) = encoded(&ServerMessage::LoadStep(step)) {
                self.bulletins.push(self.battle.tick().0, bytes);
            }
            let full = (step == LoadStep::NoJoins).then(|| "takes nobody new".to_owned());
            self.site.health.set_not_ready("overload", full);
        }
        now
    }

    fn show_metrics(&mut self) {
        let (metrics, counters) = (&self.site.metrics, &self.counters);
        let tick = self.battle.tick();
        let report = &self.battle.output().report;
        metrics.overruns.absolute(counters.overruns);
        metrics.clients.set(self.connected() as f64);
        metrics.players.set(self.slots.len() as f64);
        metrics.overload_step.set(f64::from(self.ladder.step() as u8));
        metrics.regions.set(f64::from(report.regions));
        metrics.show_regions(self.battle.regions().map(|leaf| leaf.load_units));
        metrics.region_load_max.set(f64::from(report.load_max));
        metrics.region_splits.absolute(self.roster.totals.splits);
        metrics.region_merges.absolute(self.roster.totals.merges);
        metrics.turned_away.absolute(counters.turned_away);
        metrics.resumes.absolute(counters.resumes);
        let inputs = self.inputs();
        metrics.inputs_late.absolute(inputs.late);
        metrics.inputs_early.absolute(inputs.early);
        metrics.inputs_missing.absolute(inputs.missing());
        let sum = |of: fn(&Shard) -> u64| self.shards.iter().map(of).sum::<u64>();
        metrics.malformed.absolute(sum(|shard| shard.counters.malformed));
        metrics.snapshots.absolute(sum(|shard| shard.counters.snapshots));
        metrics.snapshot_bytes.absolute(sum(|shard| shard.counters.snapshot_bytes));
        metrics.udp_bytes_in.absolute(sum(|shard| shard.udp_bytes().0));
        metrics.udp_bytes_out.absolute(sum(|shard| shard.udp_bytes().1));
        metrics.show_lanes(&self.shards);
        metrics.udp_syscalls.absolute(sum(Shard::syscalls));
        let behind = tick.0.saturating_sub(self.journal.durable().0);
        metrics.journal_lag.set(f64::from(behind) * self.clock.period().as_secs_f64());
        metrics.journal_bytes.set(self.journal.bytes() as f64);
        metrics.journal_dead.set(f64::from(u8::from(self.journal_is_dead)));
        if tick.0.is_multiple_of(PATHS_SHOWN_TICKS) {
            let seats = self.shards.iter_mut().flat_map(|shard| shard.seats.values_mut());
            let here = seats.filter(|seat| seat.peer.is_some());
            here.for_each(|seat| metrics.note_path(&mut seat.path));
        }
    }

    /// What became of the inputs of all players.
    fn inputs(&self) -> InputCounters {
        let seats = self.shards.iter().flat_map(|shard| shard.seats.values());
        seats.fold(self.counters.inputs, |sum, seat| sum.plus(seat.session.input_counters()))
    }
}

/// Lets every shard work, beside each other if there are threads for it.
fn each_shard(
    pool: Option<&ThreadPool>,
    shards: &mut [Shard],
    took: &mut Work,
    work: impl Fn(&mut Shard) + Sync + Send,
) {
    match pool {
        Some(pool) if shards.len() > 1 => {
            pool.install(|| shards.par_iter_mut().for_each(|shard| shard.timed(&work)));
            took.note_shards(shards.iter().map(|shard| shard.took));
        }
        _ => shards.iter_mut().for_each(work),
    }
}

fn left_player(event: &Event) -> Option<PlayerSlot> {
    match *event {
        Event::Left { player } => Some(player),
        _ => None,
    }
}

/// A message's bytes, shared by all who get it; `None` when it cannot be sent at all.
fn encoded(message: &ServerMessage) -> Option<Arc<[u8]>> {
    message.encode().ok().map(Arc::from)
}

/// Whether a soldier's player may still come back.
fn has_player(status: Status) -> bool {
    status != Status::Left
}
