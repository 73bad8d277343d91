//! What the clients were told, judged against the world after the run.

use std::ops::Range;
use std::path::Path;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::{Pose, SEED, TickLog, World, now_ns};

/// One update in this many is compared with the world.
const SAMPLED: u64 = 31;

/// One player's state as a client was told of it.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Tick that it is of.
    pub tick: u32,
    /// Whose it is.
    pub player: u16,
    /// Where that player is and looks.
    pub pose: Pose,
    /// That player's health.
    pub health: u8,
}

/// Everything that the clients of a process were told.
#[derive(Debug)]
pub struct Tally {
    arrivals: Vec<Arrival>,
    samples: Vec<(u16, Told)>,
    updates: u64,
    players: usize,
    clients: Vec<usize>,
    told: Vec<bool>,
    newest: u32,
    bytes: Vec<(u32, u32)>,
}

/// Updates that a client got of one tick at one moment.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    at_ns: u64,
    tick: u32,
    updates: u16,
}

/// How the clients fared in a window of ticks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// Updates that a client with perfect knowledge of the world expects.
    pub expected: u64,
    /// Updates that came.
    pub delivered: u64,
    /// Middle age of an update when a client had it, milliseconds.
    pub age_p50_ms: f64,
    /// 99 of 100 updates were at most this old, milliseconds.
    pub age_p99_ms: f64,
    /// Bytes that the library handed to the application, all clients together.
    pub application_bytes: u64,
    /// Updates that were compared with the world.
    pub checked: u64,
    /// The largest distance between told and true positions, metres.
    pub position_error_max_m: f64,
    /// Compared updates with a wrong view or health.
    pub wrong: u64,
    /// Compared updates about players farther away than a client may see.
    pub strangers: u64,
}

impl Verdict {
    /// Adds what clients of another process were told. Percentiles become those of the worse
    /// process.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.age_p50_ms = self.age_p50_ms.max(other.age_p50_ms);
        self.age_p99_ms = self.age_p99_ms.max(other.age_p99_ms);
        self.application_bytes += other.application_bytes;
        self.checked += other.checked;
        self.position_error_max_m = self.position_error_max_m.max(other.position_error_max_m);
        self.wrong += other.wrong;
        self.strangers += other.strangers;
    }
}

impl Tally {
    /// For the clients of some of a world's players.
    pub fn new(players: usize, clients: &[usize]) -> Self {
        Self {
            arrivals: Vec::new(),
            samples: Vec::new(),
            updates: 0,
            players,
            clients: clients.to_vec(),
            told: vec![false; players],
            newest: 0,
            bytes: Vec::new(),
        }
    }

    /// How many clients were ever told anything.
    pub fn told(&self) -> usize {
        self.told.iter().filter(|&&told| told).count()
    }

    /// Notes what a client learns now, one update a player and tick, those of a tick together,
    /// and how many bytes its library gave it.
    pub fn add(&mut self, client: usize, updates: &[Told], bytes: usize) {
        let at_ns = now_ns();
        for same in updates.chunk_by(|one, next| one.tick == next.tick) {
            let (tick, count) = (same[0].tick, same.len() as u16);
            self.newest = self.newest.max(tick);
            self.told[client] = true;
            self.arrivals.push(Arrival { at_ns, tick, updates: count });
        }
        for told in updates {
            self.updates += 1;
            if self.updates.is_multiple_of(SAMPLED) {
                self.samples.push((client as u16, *told));
            }
        }
        if bytes > 0 {
            self.bytes.push((self.newest, bytes as u32));
        }
    }

    /// Notes updates that a client gets now but does not show, as it has newer ones already.
    pub fn add_overtaken(&mut self, tick: u32, updates: usize) {
        self.arrivals.push(Arrival { at_ns: now_ns(), tick, updates: updates as u16 });
    }

    /// Judges the ticks of `window`, with the server's log of ticks from `folder`.
    pub fn judge(&self, folder: &Path, window: Range<u32>) -> anyhow::Result<Verdict> {
        let began_ns = TickLog::read(folder)?;
        let logged = began_ns.len() >= window.end as usize;
        ensure!(logged, "the server logged {} ticks", began_ns.len());
        let mut verdict = Verdict::default();
        let within = |tick: u32| window.contains(&tick);

        let mut ages: Vec<(u64, u16)> = Vec::new();
        for arrival in self.arrivals.iter().filter(|arrival| within(arrival.tick)) {
            let age_ns = arrival.at_ns.saturating_sub(began_ns[arrival.tick as usize]);
            ages.push((age_ns, arrival.updates));
            verdict.delivered += u64::from(arrival.updates);
        }
        ages.sort_unstable();
        verdict.age_p50_ms = percentile_ms(&ages, verdict.delivered, 0.5);
        verdict.age_p99_ms = percentile_ms(&ages, verdict.delivered, 0.99);
        let bytes = self.bytes.iter().filter(|(tick, _)| within(*tick));
        verdict.application_bytes = bytes.map(|(_, bytes)| u64::from(*bytes)).sum();
        self.compare(window, &mut verdict);
        Ok(verdict)
    }

    /// Walks through the world once more and compares.
    fn compare(&self, window: Range<u32>, verdict: &mut Verdict) {
        let mut world = World::new(SEED, self.players);
        let mut samples = self.samples.clone();
        samples.sort_by_key(|(_, told)| told.tick);
        let mut samples = samples.into_iter().skip_while(|(_, told)| told.tick < window.start);
        let mut next = samples.next();
        let mut seen = Vec::new();
        while world.tick() + 1 < window.end {
            world.step();
            if world.tick() < window.start {
                continue;
            }
            for &client in &self.clients {
                world.visible(client, &mut seen);
                verdict.expected += seen.len() as u64;
            }
            while let Some((client, told)) = next.filter(|(_, told)| told.tick == world.tick()) {
                check(&world, usize::from(client), told, verdict);
                next = samples.next();
            }
        }
    }
}

fn check(world: &World, client: usize, told: Told, verdict: &mut Verdict) {
    let player = usize::from(told.player);
    let (x, z) = told.pose.position();
    let (true_x, true_z) = world.position(player);
    let error = f64::from((x - true_x).hypot(z - true_z));
    verdict.checked += 1;
    verdict.position_error_max_m = verdict.position_error_max_m.max(error);
    let right = told.pose.yaw_degrees() == world.pose(player).yaw_degrees()
        && told.health == world.health(player);
    verdict.wrong += u64::from(!right);
    verdict.strangers += u64::from(!world.sees(client, player));
}

/// The age that `share` of all updates do not exceed.
fn percentile_ms(sorted: &[(u64, u16)], updates: u64, share: f64) -> f64 {
    let mut rank = (share * updates as f64).ceil() as u64;
    for &(age_ns, count) in sorted {
        match rank.checked_sub(u64::from(count)) {
            Some(left) if left > 0 => rank = left,
            _ => return age_ns as f64 / 1e6,
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clients of a server that tells everything but what `lose` says.
    fn tally(lose: impl Fn(u32, u16) -> bool) -> Tally {
        let (mut world, mut tally) = (World::new(SEED, 2), Tally::new(2, &[0, 1]));
        for _ in 0..100 {
            world.step();
            for client in 0..2 {
                let told =
                    (0..2).filter(|&player| !lose(world.tick(), player)).map(|player| Told {
                        tick: world.tick(),
                        player,
                        pose: world.pose(player.into()),
                        health: world.health(player.into()),
                    });
                tally.add(client, &told.collect::<Vec<_>>(), 10);
            }
        }
        tally
    }

    fn judge(tally: &Tally) -> Verdict {
        let mut verdict = Verdict::default();
        tally.compare(10..90, &mut verdict);
        verdict
    }

    #[test]
    fn what_is_true_passes() {
        let verdict = judge(&tally(|_, _| false));
        assert!(verdict.checked > 5 && verdict.position_error_max_m < 0.01, "{verdict:?}");
        assert_eq!((verdict.wrong, verdict.strangers), (0, 0));
    }

    #[test]
    fn what_is_of_another_tick_is_found_out() {
        let mut tally = tally(|_, _| false);
        for (_, told) in &mut tally.samples {
            told.tick += 5;
        }
        let verdict = judge(&tally);
        assert!(verdict.position_error_max_m > 0.15 && verdict.wrong > 0, "{verdict:?}");
    }

    #[test]
    fn percentiles_count_updates_not_arrivals() {
        let ages = [(1_000_000, 98), (2_000_000, 1), (9_000_000, 1)];
        assert_eq!(percentile_ms(&ages, 100, 0.5), 1.0);
        assert_eq!(percentile_ms(&ages, 100, 0.99), 2.0);
        assert_eq!(percentile_ms(&ages, 100, 1.0), 9.0);
    }
}
