//! A battle server's tick without sockets: inputs, simulation, interest, snapshots, sealing.
//!
//! For what no swarm of bots on the same machine can serve, and for counting allocations. Every
//! player acknowledges a few ticks late, as over a short path; some decode what they are told,
//! and it is compared with the battle. The same calls, in the same order, as the server's.

use std::io;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use sortie_bridge::frame::publish;
use sortie_bridge::lens::Lens;
use sortie_bridge::noise::Noises;
use sortie_sealed::{EXPORTER_BYTES, Lane, LaneConfig, LaneSecrets, Side, Suite};
use sortie_session::delta_cache::DeltaCache;
use sortie_session::history::FrameHistory;
use sortie_session::server::{ServerSession, SessionConfig};
use sortie_sim::id::PlayerSlot;
use sortie_sim::interest::Visibility;
use sortie_sim::view::View;
use sortie_wire::input::{InputCommand, InputDatagram};
use sortie_wire::limits::{DATAGRAM_BYTES_MAX, INPUT_BYTES_MAX};
use sortie_wire::message::LoadStep;

use super::listen::{Heard, Listener};
use sortie_players::cpu::thread_time;
use sortie_players::headless::{Arena, SimRunConfig};

/// An ack is for the snapshot of so many ticks ago: a round trip of 50 ms at 60 Hz.
const ACK_TICKS: u32 = 3;

/// Players of whom one decodes.
const LISTENER_EVERY: usize = 61;

/// A server's state, and that of its players.
pub struct Serving {
    arena: Arena,
    history: FrameHistory,
    visibility: Visibility,
    noises: Noises,
    shards: Vec<Shard>,
    watch: Watch,
    /// What those who decode found.
    pub heard: Heard,
}

/// What one tick took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Inputs and acks are read.
    pub inputs: Duration,
    /// The battle is stepped.
    pub step: Duration,
    /// It is found out who sees whom.
    pub look: Duration,
    /// Snapshots are encoded.
    pub tell: Duration,
    /// Packets are sealed.
    pub seal: Duration,
    /// Allocations in all of it.
    pub allocations: u64,
}

impl Spent {
    /// All of it.
    pub fn sum(&self) -> Duration {
        self.inputs + self.step + self.look + self.tell + self.seal
    }
}

/// Players of one thread.
struct Shard {
    seats: Vec<Seat>,
    cache: DeltaCache,
    datagram: Box<[u8; DATAGRAM_BYTES_MAX]>,
}

struct Seat {
    slot: PlayerSlot,
    session: ServerSession,
    lens: Lens,
    lane: Lane,
    packet: Vec<u8>,
    /// Bytes of the snapshot, in the packet's place before it is sealed.
    bytes: usize,
    visible: u32,
    listener: Option<Box<Listener>>,
}

/// Measures parts of a tick: by CPU time of the thread when there is one, by time as it passes when
/// there are several.
#[derive(Clone, Copy)]
struct Watch {
    started: Instant,
    threads: usize,
    allocations: fn() -> u64,
}

impl Watch {
    /// Runs `work`; gives what it took, and counts its allocations.
    fn time<T>(&self, allocations: &mut u64, work: impl FnOnce() -> T) -> (T, Duration) {
        let (before, allocated) = (self.now(), (self.allocations)());
        let done = work();
        *allocations += (self.allocations)() - allocated;
        (done, self.now() - before)
    }

    fn now(&self) -> Duration {
        if self.threads == 1 { thread_time() } else { self.started.elapsed() }
    }
}

impl Serving {
    /// A battle at tick 0; with `listens`, some of its players decode.
    ///
    /// # Errors
    /// The configuration is unusable.
    pub fn new(config: &SimRunConfig, listens: bool) -> io::Result<Self> {
        let arena = Arena::new(config).map_err(io::Error::other)?;
        let rules = arena.battle.config();
        let tick_hz = rules.tick_hz;
        let session = SessionConfig { tick_hz, ..SessionConfig::default() };
        let visibility = Visibility::new(rules);
        let threads = config.threads.max(1);
        let began = Instant::now();
        let seat = |slot: usize| Seat {
            slot: PlayerSlot(slot as u16),
            session: ServerSession::new(session, 0),
            lens: Lens::new(tick_hz),
            lane: lane(slot, began),
            packet: Vec::with_capacity(1_400),
            bytes: 0,
            visible: 0,
            listener: (listens && slot.is_multiple_of(LISTENER_EVERY)).then(Box::default),
        };
        let shard = |number: usize| Shard {
            seats: (number..config.players).step_by(threads).map(seat).collect(),
            cache: DeltaCache::default(),
            datagram: Box::new([0; DATAGRAM_BYTES_MAX]),
        };
        Ok(Self {
            arena,
            history: FrameHistory::new(),
            visibility,
            noises: Noises::default(),
            shards: (0..threads).map(shard).collect(),
            watch: Watch {
                started: began,
                threads,
                allocations: config.allocations.unwrap_or(|| 0),
            },
            heard: Heard::default(),
        })
    }

    /// One tick.
    ///
    /// # Errors
    /// A player that decodes was told something wrong.
    pub fn tick(&mut self) -> io::Result<Spent> {
        let (watch, mut spent) = (self.watch, Spent::default());
        let tick = self.arena.battle.tick().0;
        let mut buffer = [0; INPUT_BYTES_MAX];
        let input = written_input(tick, &mut buffer);
        let Self { arena, history, visibility, noises, shards, .. } = self;
        let allocations = &mut spent.allocations;
        ((), spent.inputs) = watch.time(allocations, || {
            each(arena.battle.pool(), shards, |shard| shard.take_inputs(input, tick));
        });
        let commands = arena.crowd.decide(arena.battle.view(), &arena.field);
        ((), spent.step) = watch.time(allocations, || {
            arena.battle.step(commands);
        });
        let (battle, field) = (&arena.battle, &arena.field);
        noises.gather(&battle.output().events, 0.0);
        ((), spent.look) = watch.time(allocations, || {
            publish(battle.view(), &battle.config().movement, history);
            visibility.update(battle.view(), field, battle.pool());
        });
        let view = battle.view();
        let outlook = Outlook { view, history, visibility, noises };
        ((), spent.tell) = watch.time(allocations, || {
            each(battle.pool(), shards, |shard| shard.tell(&outlook));
        });
        // What players do with it is not the server's work.
        for seat in shards.iter_mut().flat_map(|shard| &mut shard.seats) {
            if let Some(listener) = &mut seat.listener {
                let row = view.soldiers.get(usize::from(seat.slot.0));
                listener.take(view, row, &seat.packet[..seat.bytes], &mut self.heard)?;
            }
        }
        let at = Instant::now();
        ((), spent.seal) = watch.time(allocations, || {
            each(battle.pool(), shards, |shard| shard.seal(at));
        });
        Ok(spent)
    }

    /// Players.
    pub fn players(&self) -> usize {
        self.shards.iter().map(|shard| shard.seats.len()).sum()
    }

    /// Pairs of player and visible entity in the last tick.
    pub fn pairs(&self) -> u64 {
        self.seats().map(|seat| u64::from(seat.visible)).sum()
    }

    /// Bytes of the last tick's snapshots.
    pub fn bytes(&self) -> u64 {
        self.seats().map(|seat| seat.bytes as u64).sum()
    }

    /// Entity states sent since the start.
    pub fn updates(&self) -> u64 {
        self.seats().map(|seat| seat.session.counters().updates).sum()
    }

    fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.shards.iter().flat_map(|shard| &shard.seats)
    }
}

/// The datagram that every player sends in this tick: they differ in nothing that costs.
fn written_input(tick: u32, buffer: &mut [u8; INPUT_BYTES_MAX]) -> &[u8] {
    let command = |back: u32| InputCommand {
        tick: (tick + 2).saturating_sub(back),
        move_forward: 127,
        yaw: tick.wrapping_sub(back).wrapping_mul(517) as u16,
        view_tick: tick,
        ..InputCommand::default()
    };
    let ack = tick.saturating_sub(ACK_TICKS);
    match InputDatagram::new(ack, u32::MAX, &[0, 1, 2, 3].map(command)) {
        Some(datagram) => datagram.encode(buffer),
        None => &[],
    }
}

fn each(
    pool: Option<&rayon::ThreadPool>,
    shards: &mut [Shard],
    work: impl Fn(&mut Shard) + Sync + Send,
) {
    match pool {
        Some(pool) if shards.len() > 1 => pool.install(|| shards.par_iter_mut().for_each(work)),
        _ => shards.iter_mut().for_each(work),
    }
}

/// What all shards look at.
struct Outlook<'a> {
    view: &'a View,
    history: &'a FrameHistory,
    visibility: &'a Visibility,
    noises: &'a Noises,
}

impl Shard {
    fn take_inputs(&mut self, datagram: &[u8], tick: u32) {
        for seat in &mut self.seats {
            let _ = seat.session.handle_input_datagram(datagram, tick);
            let _ = seat.session.take_input(tick + 1);
        }
    }

    fn tell(&mut self, outlook: &Outlook<'_>) {
        for seat in &mut self.seats {
            let seen = outlook.visibility.visible(seat.slot);
            seat.lens.look(outlook.view, seat.slot, seen, outlook.noises);
            seat.visible = seen.len() as u32;
            let source = seat.lens.source(seen, outlook.history, LoadStep::Normal);
            seat.bytes =
                seat.session.encode_snapshot(&source, &mut self.cache, &mut self.datagram[..]);
            seat.packet.clear();
            seat.packet.extend_from_slice(&self.datagram[..seat.bytes]);
        }
    }

    fn seal(&mut self, now: Instant) {
        for Seat { lane, packet, bytes, .. } in &mut self.seats {
            self.datagram[..*bytes].copy_from_slice(&packet[..*bytes]);
            packet.clear();
            // A lane for a few thousand packets is never used up.
            let _ = lane.seal(now, |out| out.extend_from_slice(&self.datagram[..*bytes]), packet);
        }
    }
}

/// The server's end of a lane; nobody opens what it seals.
fn lane(slot: usize, now: Instant) -> Lane {
    let secrets = LaneSecrets::from_exporter([slot as u8; EXPORTER_BYTES]);
    let config = LaneConfig::default();
    Lane::new(Side::Server, Suite::Aes128Gcm, &secrets, slot as u32, now, config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sortie_players::scenario::Scenario;

    #[test]
    fn one_thread_and_two_tell_the_same() {
        let mut told = Vec::new();
        for threads in [1, 2] {
            let scenario = Scenario::Uniform;
            let config = SimRunConfig { players: 150, threads, scenario, ..Default::default() };
            let mut serving = Serving::new(&config, true).unwrap();
            let mut sum = 0;
            for _ in 0..120 {
                serving.tick().unwrap();
                sum += serving.bytes();
            }
            assert!(serving.heard.states > 10_000, "{:?}", serving.heard);
            assert!(serving.pairs() > 150 * 30, "{}", serving.pairs());
            told.push((serving.updates(), sum));
        }
        // The same states; each thread learns by itself how large residuals are, and may code
        // them in a few bits more or less.
        assert_eq!(told[0].0, told[1].0);
        assert!(told[0].1.abs_diff(told[1].1) * 1_000 < told[0].1, "{told:?}");
    }
}
