//! What matches promise, over random queues: nobody twice, parties together, sizes as allowed,
//! chances near one half.
//!
//! Each case prints its seed when it fails; `SIM_SEED=123` runs that one alone.

use std::time::{Duration, Instant};

use sortie_matchmaking::Queue;
use sortie_matchmaking::matcher::{self, Match, Strength, Waiting};
use uuid::Uuid;

/// SplitMix64, for random numbers that a seed repeats.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// 0 to 1.
    fn share(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }

    /// About normal, by the sum of twelve.
    fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * ((0..12).map(|_| self.share()).sum::<f64>() - 6.0)
    }
}

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("SIM_SEED") {
        Ok(seed) => vec![seed.parse().expect("SIM_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}

/// Tickets oldest first: two thirds alone, the rest parties of two to eight.
fn waiting(draw: &mut Draw, count: usize, size_max: u64) -> Vec<Waiting> {
    let mut ages: Vec<f64> = (0..count).map(|_| draw.share() * 60.0).collect();
    ages.sort_by(|a, b| b.total_cmp(a));
    let ticket = |waited_s| {
        let size = if draw.below(3) < 2 { 1 } else { 2 + draw.below(size_max - 1) };
        // The mean of as many players, each drawn alone.
        let sum: f64 = (0..size).map(|_| draw.normal(25.0, 8.0).clamp(0.0, 60.0)).sum();
        let rating = sum / size as f64;
        let deviation = 1.0 + draw.share() * 7.0;
        let strength = Strength::of(size as u32, rating, deviation);
        Waiting { ticket_id: Uuid::from_u128(draw.next().into()), waited_s, strength }
    };
    ages.into_iter().map(ticket).collect()
}

fn random_queue(draw: &mut Draw) -> Queue {
    let team_max = [4, 8, 16, 32, 64][draw.below(5) as usize];
    let team_min = 1 + draw.below(u64::from(team_max)) as u32;
    Queue {
        team_min,
        team_max,
        players_max: 2 * team_max,
        team_difference_max: draw.below(3) as u32,
        ..Queue::shipped().remove(0)
    }
}

fn sizes(waiting: &[Waiting], found: &Match) -> [u32; 2] {
    found.teams.each_ref().map(|team| team.iter().map(|&at| waiting[at].strength.players).sum())
}

#[test]
fn matches_keep_their_promises_over_many_random_queues() {
    let mut made = 0;
    for seed in seeds(400) {
        let mut draw = Draw(seed);
        let queue = random_queue(&mut draw);
        let count = 1 + draw.below(600) as usize;
        let waiting = waiting(&mut draw, count, 8.min(u64::from(queue.team_max)));
        let found = matcher::matches(&queue, &waiting);
        let mut seen = vec![false; waiting.len()];
        for found in &found {
            let told = format!("SIM_SEED={seed}: {found:?} of {queue:?}");
            // A ticket is one entry: whoever is in it is in one team.
            for &at in found.teams.iter().flatten() {
                assert!(!std::mem::replace(&mut seen[at], true), "twice: {told}");
            }
            let served = &waiting[found.served];
            assert!(seen[found.served], "left out whom it was for: {told}");
            let [zero, one] = sizes(&waiting, found);
            let least = queue.team_needed(served.waited_s);
            assert!(zero.min(one) >= least && zero.max(one) <= queue.team_max, "size: {told}");
            assert!(zero.abs_diff(one) <= queue.team_difference_max, "apart: {told}");
            let unfair = queue.window.unfair(served.waited_s);
            assert!((found.win_chance - 0.5).abs() <= unfair, "unfair: {told}");
            let width = queue.window.half_width(served.waited_s);
            let mean = served.strength.mean();
            assert!(
                found
                    .teams
                    .iter()
                    .flatten()
                    .all(|&at| { (waiting[at].strength.mean() - mean).abs() <= width }),
                "window: {told}"
            );
        }
        made += found.len();
    }
    assert!(made > 1_000 || seeds(2).len() == 1, "only {made} matches were made");
}

#[test]
fn the_chance_to_win_is_near_one_half() {
    let queue = Queue { team_difference_max: 0, ..Queue::shipped().remove(0) };
    let (mut all, mut large) = (Vec::new(), Vec::new());
    for seed in seeds(100) {
        let waiting = waiting(&mut Draw(seed), 400, 8);
        for found in matcher::matches(&queue, &waiting) {
            let off = ((found.win_chance - 0.5).abs(), seed);
            all.push(off);
            if sizes(&waiting, &found)[0] >= 16 {
                large.push(off);
            }
        }
    }
    // Tickets have waited for up to a minute here, and after 40 s any match will do: the few that
    // are far off are those.
    for (what, mut list, p50_max, p99_max) in
        [("all", all, 0.001, 0.15), ("16 a side and more", large, 0.001, 0.12)]
    {
        list.sort_by(|a, b| a.0.total_cmp(&b.0));
        let at = |share: usize| list[list.len() * share / 100].0;
        let worst = list[list.len() - 1];
        let told = format!(
            "{what}: {} matches, chance off one half by {:.4} (p50), {:.4} (p99), {:.4} at worst, \
             with SIM_SEED={}",
            list.len(),
            at(50),
            at(99),
            worst.0,
            worst.1
        );
        println!("{told}");
        assert!(at(50) < p50_max && at(99) < p99_max, "{told}");
    }
}

#[test]
fn whoever_waits_longest_is_not_passed_over() {
    // One who is far better than all, among newcomers who come all the time.
    let mut draw = Draw(7);
    let queue = Queue::shipped().remove(0);
    let mut waiting = waiting(&mut draw, 2_000, 4);
    waiting[0].strength = Strength::of(1, 58.0, 1.0);
    waiting[0].waited_s = 120.0;
    let found = matcher::matches(&queue, &waiting);
    assert!(found.iter().any(|found| found.teams.iter().flatten().any(|&at| at == 0)));
}

#[test]
fn ten_thousand_tickets_are_planned_in_a_moment() {
    let mut draw = Draw(1);
    let waiting = waiting(&mut draw, 10_000, 8);
    let queue = Queue::shipped().remove(0);
    let began = Instant::now();
    let found = matcher::matches(&queue, &waiting);
    let took = began.elapsed();
    let matched: usize = found.iter().map(|found| found.teams.iter().flatten().count()).sum();
    println!("{} matches of {matched} tickets in {took:?}", found.len());
    assert!(matched > 9_000, "{matched}");
    // Some milliseconds; the bound only finds what grows with the square.
    assert!(took < Duration::from_secs(2), "{took:?}");
}
