//! A hostile run: what goes wrong on purpose, when, and what is judged meanwhile.
//!
//! Every bot has [`BotFaults`] of its own, and the server, if it is ours, has [`ServerFaults`];
//! both are drawn from the run's seed. A bot may be without control of its soldier while something
//! is in the way, and for [`SETTLE`] afterwards, which is how long a path has to be good before it
//! is called usable; after that the promises of any run hold again.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::Serialize;
use sortie_link_sim::Rng;

use super::config::NetworkConditions;

/// A path counts as usable when nothing was in the way for so long.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// Nothing goes wrong any more for so long before the end of a run: whoever is on its way back then
/// arrives, and a bot that is lost at the end is lost. Coming back takes 3 to 4 s.
const CALM: Duration = Duration::from_secs(6);

/// Resident memory of the server may grow by so much, MiB, from six tenths of the run to its end:
/// what an allocator keeps for itself.
pub const MEMORY_GROWTH_MAX_MIB: f64 = 6.0;

/// Share of a run at which the server's memory is read for the first time. Kills are over by then.
const MEMORY_FROM: f64 = 0.6;

/// Share of a run in which the server is killed.
const KILLS_UNTIL: f64 = 0.5;

/// Between two kills of the server.
const KILL_EVERY: Duration = Duration::from_secs(120);

/// What was done to bots and server, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct HostileReport {
    /// Times that a bot's packets took up to half a second longer for a while.
    pub spikes: u64,
    /// Times that a bot's packets got lost, 10 % of them each way, for a while.
    pub losses: u64,
    /// Times that a bot's way to the server, or the way back, was dead for a while.
    pub dead_ways: u64,
    /// Times that a bot stood still for a while, as a program does that its system has stopped.
    pub sleeps: u64,
    /// Times that a bot moved to another address.
    pub moves: u64,
    /// Times that the server was stopped for a while.
    pub server_stalls: u64,
    /// Times that the server was killed and started again.
    pub server_kills: u64,
    /// Resident memory of the server at six tenths of the run, when no kill comes any more, MiB.
    pub server_rss_mib_before: Option<f64>,
}

impl AddAssign for HostileReport {
    fn add_assign(&mut self, other: Self) {
        self.spikes += other.spikes;
        self.losses += other.losses;
        self.dead_ways += other.dead_ways;
        self.sleeps += other.sleeps;
        self.moves += other.moves;
        self.server_stalls += other.server_stalls;
        self.server_kills += other.server_kills;
        self.server_rss_mib_before = self.server_rss_mib_before.or(other.server_rss_mib_before);
    }
}

/// What happens to a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BotFault {
    /// Every packet takes so much longer, one way.
    Spike(Duration),
    /// Packets get lost, [`LOSS`] of them each way.
    Loss,
    /// Nothing reaches the server.
    DeadUp,
    /// Nothing reaches the bot.
    DeadDown,
    /// The bot does nothing.
    Sleep,
    /// The bot has another address from now on.
    Move,
}

/// Until when the server was in the way of everybody; the bots' threads look at it.
#[derive(Debug)]
pub(super) struct Outage {
    started: Instant,
    /// Milliseconds from `started`; `u64::MAX` while the server is in the way.
    until_ms: AtomicU64,
}

impl Outage {
    /// Nothing in the way since `started`.
    pub(super) fn new(started: Instant) -> Self {
        Self { started, until_ms: AtomicU64::new(0) }
    }

    fn begin(&self) {
        self.until_ms.store(u64::MAX, Relaxed);
    }

    fn end(&self) {
        self.until_ms.store(self.started.elapsed().as_millis() as u64, Relaxed);
    }

    /// `None` while it lasts.
    fn until(&self) -> Option<Instant> {
        let until_ms = self.until_ms.load(Relaxed);
        (until_ms != u64::MAX).then(|| self.started + Duration::from_millis(until_ms))
    }
}

/// The faults of one bot, one after the other, and the judgement of its control.
#[derive(Debug)]
pub(super) struct BotFaults {
    rng: Rng,
    /// The fault that comes or is there, from when until when.
    next: (BotFault, Instant, Instant),
    is_on: bool,
    /// From then on nothing is in the way.
    calm_from: Instant,
    /// When the last one ended.
    over: Instant,
    judged: Judged,
    /// Snapshots, and those of ticks without an input, until the last look.
    seen: (u64, u64),
    done: HostileReport,
}

/// A bot's control of its soldier while its path was usable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Ticks that it was told of.
    pub told: u64,
    /// Of those, the ticks in which the server did without its input.
    pub unplayed: u64,
    /// Longest time without a sign that the server consumes its inputs.
    pub without_max: Duration,
}

/// What a bot has to do about its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing new.
    None,
    /// This begins.
    Begins(BotFault),
    /// The path is as usual again.
    Ends,
}

impl BotFaults {
    /// Faults drawn from `seed`, the first some seconds after `arrival`, in a run until `end`.
    pub(super) fn new(seed: u64, arrival: Instant, end: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let next = draw(&mut rng, arrival);
        let (judged, seen, done) = Default::default();
        let calm_from = end.checked_sub(CALM).unwrap_or(arrival);
        Self { rng, next, is_on: false, calm_from, over: arrival, judged, seen, done }
    }

    /// Begins or ends what is due.
    pub(super) fn turn(&mut self, now: Instant) -> Change {
        let (fault, from, until) = self.next;
        let is_calm = now >= self.calm_from;
        if !self.is_on && now >= from && !is_calm {
            self.is_on = true;
            let count = match fault {
                BotFault::Spike(_) => &mut self.done.spikes,
                BotFault::Loss => &mut self.done.losses,
                BotFault::DeadUp | BotFault::DeadDown => &mut self.done.dead_ways,
                BotFault::Sleep => &mut self.done.sleeps,
                BotFault::Move => &mut self.done.moves,
            };
            *count += 1;
            return Change::Begins(fault);
        }
        if self.is_on && (now >= until || is_calm) {
            self.is_on = false;
            // What a spike holds back arrives after its end, and everything else behind it.
            self.over =
                now + if let BotFault::Spike(added) = fault { added } else { Duration::ZERO };
            self.next = draw(&mut self.rng, self.over);
            return Change::Ends;
        }
        Change::None
    }

    /// When the next one begins or the present one ends; `None`: nothing comes any more.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let (_, from, until) = self.next;
        match self.is_on {
            true => Some(until.min(self.calm_from)),
            false => (from < self.calm_from).then_some(from),
        }
    }

    /// Whether the bot stands still.
    pub(super) fn is_asleep(&self) -> bool {
        self.is_on && self.next.0 == BotFault::Sleep
    }

    /// Looks at the bot's control: the time since the last sign of it, and how many `snapshots` it
    /// had, `starved` of them of ticks without its input. What is told of while something is in
    /// the way is not held against anybody.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        outage: &Outage,
        without: Duration,
        snapshots: u64,
        starved: u64,
    ) {
        let before = std::mem::replace(&mut self.seen, (snapshots, starved));
        let Some(outage_until) = outage.until().filter(|_| !self.is_on) else { return };
        let usable_from = self.over.max(outage_until) + SETTLE;
        let Some(usable_for) = now.checked_duration_since(usable_from) else { return };
        self.judged.told += snapshots.saturating_sub(before.0);
        self.judged.unplayed += starved.saturating_sub(before.1);
        self.judged.without_max = self.judged.without_max.max(without.min(usable_for));
    }

    /// The judgement, and what was done.
    pub(super) fn result(&self) -> (Judged, HostileReport) {
        (self.judged, self.done)
    }
}

/// Share of the packets lost while that is the fault.
const LOSS: f64 = 0.1;

/// The next fault after `now`: 8 to 30 s of peace, then up to 3 s of trouble; of loss, up to 12 s.
fn draw(rng: &mut Rng, now: Instant) -> (BotFault, Instant, Instant) {
    let mut ms = |least: u64, most: u64| Duration::from_millis(least + rng.below(most - least + 1));
    let from = now + ms(8_000, 30_000);
    let lasts = ms(200, 3_000);
    let added = ms(100, 500);
    match rng.below(6) {
        0 => (BotFault::Spike(added), from, from + lasts),
        1 => (BotFault::DeadUp, from, from + lasts),
        2 => (BotFault::DeadDown, from, from + lasts),
        3 => (BotFault::Sleep, from, from + lasts),
        4 => (BotFault::Loss, from, from + 4 * lasts),
        _ => (BotFault::Move, from, from),
    }
}

impl BotFault {
    /// What `usual` becomes on the way up and on the way down.
    pub(super) fn links(self, usual: &NetworkConditions) -> (NetworkConditions, NetworkConditions) {
        let dead = NetworkConditions { loss: 1.0, ..*usual };
        match self {
            Self::Spike(added) => {
                let late = NetworkConditions { delay: usual.delay + added, ..*usual };
                (late, late)
            }
            Self::Loss => {
                let lossy = NetworkConditions { loss: usual.loss.max(LOSS), ..*usual };
                (lossy, lossy)
            }
            Self::DeadUp => (dead, *usual),
            Self::DeadDown => (*usual, dead),
            Self::Sleep | Self::Move => (*usual, *usual),
        }
    }
}

/// What happens to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerFault {
    /// It is stopped, until the next call.
    Stall,
    /// It goes on.
    Resume,
    /// It is killed; start it again.
    Kill,
    /// Its memory is to be read.
    ReadMemory,
}

/// The faults of the server.
#[derive(Debug)]
pub(super) struct ServerFaults {
    rng: Rng,
    started: Instant,
    duration: Duration,
    stall: (Instant, Instant),
    is_stalled: bool,
    kill_at: Instant,
    memory_read: bool,
    done: HostileReport,
}

impl ServerFaults {
    /// Faults drawn from `seed` for a run of `duration`, which has one kill at least.
    pub(super) fn new(seed: u64, started: Instant, duration: Duration) -> Self {
        let mut rng = Rng::new(seed);
        let stall = draw_stall(&mut rng, started);
        let kill_at = started + KILL_EVERY.min(duration.mul_f64(KILLS_UNTIL * 0.8));
        let (memory_read, done) = Default::default();
        Self { rng, started, duration, stall, is_stalled: false, kill_at, memory_read, done }
    }

    /// What is due, if anything.
    pub(super) fn turn(&mut self, now: Instant, outage: &Outage) -> Option<ServerFault> {
        let (from, until) = self.stall;
        if self.is_stalled {
            return (now >= until).then(|| {
                self.is_stalled = false;
                self.stall = draw_stall(&mut self.rng, now);
                outage.end();
                ServerFault::Resume
            });
        }
        if now >= from && now + CALM < self.started + self.duration {
            self.is_stalled = true;
            self.done.server_stalls += 1;
            outage.begin();
            return Some(ServerFault::Stall);
        }
        if now >= self.kill_at && now < self.started + self.duration.mul_f64(KILLS_UNTIL) {
            self.kill_at = now + KILL_EVERY;
            self.done.server_kills += 1;
            outage.begin();
            return Some(ServerFault::Kill);
        }
        if !self.memory_read && now >= self.started + self.duration.mul_f64(MEMORY_FROM) {
            self.memory_read = true;
            return Some(ServerFault::ReadMemory);
        }
        None
    }

    /// The killed server is ready again.
    pub(super) fn started_again(&mut self, outage: &Outage) {
        outage.end();
    }

    /// Its memory, MiB.
    pub(super) fn note_memory(&mut self, rss_mib: Option<f64>) {
        self.done.server_rss_mib_before = rss_mib;
    }

    /// What was done.
    pub(super) fn done(&self) -> HostileReport {
        self.done
    }
}

/// The next stall after `now`: 5 to 40 s of peace, then up to 1.5 s.
fn draw_stall(rng: &mut Rng, now: Instant) -> (Instant, Instant) {
    let from = now + Duration::from_millis(5_000 + rng.below(35_000));
    (from, from + Duration::from_millis(200 + rng.below(1_300)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// Every kind comes, none lasts longer than it may, and peace lies between.
    #[test]
    fn faults_follow_one_another() {
        let start = Instant::now();
        let mut faults = BotFaults::new(7, start, start + 86_400 * S);
        let mut kinds = [0; 6];
        let mut ended = start;
        for _ in 0..200 {
            let from = faults.next_at().unwrap();
            assert!(from - ended >= 8 * S && from - ended <= 31 * S);
            let Change::Begins(fault) = faults.turn(from) else { panic!("nothing began") };
            kinds[match fault {
                BotFault::Spike(_) => 0,
                BotFault::DeadUp => 1,
                BotFault::DeadDown => 2,
                BotFault::Sleep => 3,
                BotFault::Move => 4,
                BotFault::Loss => 5,
            }] += 1;
            ended = faults.next_at().unwrap();
            assert!(ended - from <= 12 * S);
            assert_eq!(faults.turn(ended), Change::Ends);
        }
        assert!(kinds.iter().all(|&count| count > 10), "{kinds:?}");
        let (_, done) = faults.result();
        let all = done.spikes + done.losses + done.dead_ways + done.sleeps + done.moves;
        assert_eq!(all, 200);
    }

    #[test]
    fn a_run_ends_in_peace() {
        let start = Instant::now();
        for seed in 0..100 {
            let mut faults = BotFaults::new(seed, start, start + 60 * S);
            let mut calm_from = start;
            while let Some(at) = faults.next_at() {
                assert_ne!(faults.turn(at), Change::None, "seed {seed}");
                calm_from = at;
            }
            assert!(calm_from <= start + 54 * S, "seed {seed}");
            assert_eq!(faults.turn(start + 59 * S), Change::None, "seed {seed}");
            let outage = Outage::new(start);
            let mut server = ServerFaults::new(seed, start, 60 * S);
            for quarter in 0..240 {
                let _ = server.turn(start + quarter * S / 4, &outage);
            }
            assert!(!server.is_stalled, "seed {seed}");
        }
    }

    #[test]
    fn time_without_control_counts_only_while_the_path_is_usable() {
        let start = Instant::now();
        let outage = Outage::new(start);
        let mut faults = BotFaults::new(1, start, start + 86_400 * S);
        let mut look = |at: Duration, without: Duration| {
            faults.judge(start + at, &outage, without, 0, 0);
            faults.result().0.without_max
        };
        assert_eq!(look(S / 2, S / 2), Duration::ZERO, "not usable yet");
        assert_eq!(look(2 * S, 2 * S), S, "no more than the path was usable for");
        assert_eq!(look(5 * S, 3 * S), 3 * S);
        outage.begin();
        assert_eq!(look(7 * S, 7 * S), 3 * S, "the server is in the way");
    }

    #[test]
    fn ticks_count_only_while_the_path_is_usable() {
        let start = Instant::now();
        let outage = Outage::new(start);
        let mut faults = BotFaults::new(1, start, start + 86_400 * S);
        faults.judge(start, &outage, S, 100, 100);
        faults.judge(start + 2 * S, &outage, S, 160, 103);
        let from = faults.next_at().unwrap();
        assert_ne!(faults.turn(from), Change::None);
        faults.judge(from, &outage, S, 220, 150);
        let judged = faults.result().0;
        assert_eq!((judged.told, judged.unplayed), (60, 3));
    }

    #[test]
    fn a_server_is_stalled_killed_and_read() {
        let start = Instant::now();
        let outage = Outage::new(start);
        let mut faults = ServerFaults::new(3, start, 1_800 * S);
        let (mut stalls, mut resumes, mut kills, mut reads) = (0, 0, 0, 0);
        for quarter in 0..7_200 {
            match faults.turn(start + quarter * S / 4, &outage) {
                Some(ServerFault::Stall) => stalls += 1,
                Some(ServerFault::Resume) => resumes += 1,
                Some(ServerFault::Kill) => {
                    assert!(quarter < 3_600, "killed after half of the run");
                    kills += 1;
                    faults.started_again(&outage);
                }
                Some(ServerFault::ReadMemory) => {
                    assert!(quarter >= 4_320);
                    reads += 1;
                }
                None => {}
            }
        }
        assert!(stalls > 40 && resumes + 1 >= stalls, "{stalls} stalls, {resumes} ended");
        assert!((5..=8).contains(&kills), "{kills} kills");
        assert_eq!(reads, 1);
    }

    #[test]
    fn a_short_run_has_its_kill() {
        let start = Instant::now();
        let outage = Outage::new(start);
        let mut faults = ServerFaults::new(3, start, 20 * S);
        let turns = (0..80).filter_map(|at| faults.turn(start + at * S / 4, &outage));
        assert_eq!(turns.filter(|fault| *fault == ServerFault::Kill).count(), 1);
    }
}
