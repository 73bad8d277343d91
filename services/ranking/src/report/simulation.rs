//! Careers of players whose strength is known: nobody gets above its strength by the company that
//! it chooses.
//!
//! A player fights 500 battles beside others of known strength. Its honest twin always fights
//! 18 against 18; the player chooses how many guests, leavers and late joiners there are a side.
//! The battle's outcome is drawn from the chance that `docs/ranking.md` gives, with everybody's
//! true strength for the share of the battle that it fought. What is tried is therefore what
//! counts for the expectation and who is rated, not how well the model describes people.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::change::after;
use crate::eligibility::{Facts, Part, Reason, Rules, judge};
use crate::rating::{RATING_DEFAULT, Skill, UNCERTAINTY_DEFAULT};

const HEADS: usize = 18;
const BATTLES: usize = 500;
const CAREERS: usize = 16;
const TICKS: i32 = 6_000;
const KNOWN_UNCERTAINTY: f64 = 2.0;
const BETA: f64 = 25.0 / 6.0;

/// Who is in a team beside members that stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mix {
    /// 0 to 8.
    guests: usize,
    /// 0 to 4.
    leavers: usize,
    /// 0 to 4.
    late: usize,
}

const MIXES: usize = 9 * 5 * 5;

impl Mix {
    fn of(number: usize) -> Self {
        Self { guests: number % 9, leavers: number / 9 % 5, late: number / 45 }
    }
}

/// Splitmix64.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A member's strength: mean 25, standard deviation 4.
    fn strength(&mut self) -> f64 {
        // The sum of three even ones has a variance of 1/4.
        let sum = self.share() + self.share() + self.share() - 1.5;
        RATING_DEFAULT + 4.0 * 2.0 * sum
    }
}

/// Who fights: the player first, then its team, then the other one.
struct Field {
    parts: Vec<Part>,
    before: Vec<Skill>,
    truth: Vec<f64>,
}

impl Field {
    fn of(random: &mut Random, mixes: [Mix; 2], player: Skill, strength: f64) -> Self {
        let mut field = Self { parts: Vec::new(), before: Vec::new(), truth: Vec::new() };
        for (team, mix) in mixes.into_iter().enumerate() {
            for at in 0..HEADS {
                let whole = Part { team, is_guest: false, joined_tick: 0, left_tick: TICKS };
                let tick = 600 + (random.next() % 4_700) as i32;
                // The player itself stands at 0 in team 0, and is nothing of the mix.
                let place = at.wrapping_sub(1);
                let (guests, leavers) = (mix.guests, mix.guests + mix.leavers);
                let part = if place < guests {
                    Part { is_guest: true, ..whole }
                } else if (guests..leavers).contains(&place) {
                    Part { left_tick: tick, ..whole }
                } else if (leavers..leavers + mix.late).contains(&place) {
                    Part { joined_tick: tick, ..whole }
                } else {
                    whole
                };
                let rating = random.strength();
                let known = Skill { rating, uncertainty: KNOWN_UNCERTAINTY };
                field.parts.push(part);
                field.before.push(if part.is_guest { Skill::default() } else { known });
                field.truth.push(if part.is_guest { RATING_DEFAULT } else { rating });
            }
        }
        (field.before[0], field.truth[0]) = (player, strength);
        field
    }

    /// Chance of team 0, by true strengths and shares.
    fn chance(&self) -> f64 {
        let (mut ahead, mut variance) = (0.0, 2.0 * BETA * BETA);
        for ((part, before), truth) in self.parts.iter().zip(&self.before).zip(&self.truth) {
            let share = f64::from(part.left_tick - part.joined_tick) / f64::from(TICKS);
            ahead += if part.team == 0 { share * truth } else { -share * truth };
            variance += (share * before.uncertainty).powi(2);
        }
        1.0 / (1.0 + (-ahead / variance.sqrt()).exp())
    }
}

/// What the player is believed to be after a career, and how many of its battles were rated.
fn career(seed: u64, mixes: [Mix; 2], strength: f64) -> (Skill, usize) {
    let (mut random, rules) = (Random(seed), Rules::default());
    let (mut player, mut rated) = (Skill::default(), 0);
    for _ in 0..BATTLES {
        let field = Field::of(&mut random, mixes, player, strength);
        let winner = usize::from(random.share() >= field.chance());
        let facts = Facts {
            is_ranked: true,
            has_result: true,
            winner: Some(winner),
            ticks: TICKS,
            tick_hz: 60,
        };
        let mut reasons = judge(&rules, &facts, &field.parts);
        rated += usize::from(reasons[0] == Reason::Ranked);
        // What the others learn is forgotten after each battle: their strengths are known.
        for reason in reasons[1..].iter_mut().filter(|reason| **reason == Reason::Ranked) {
            *reason = Reason::Guest;
        }
        player = after(&facts, &field.parts, &reasons, &field.before)[0];
    }
    (player, rated)
}

/// Mean of what is surely known (what leaderboards show), mean uncertainty, battles rated.
fn careers(seed: u64, count: usize, mixes: [Mix; 2], strength: f64) -> (f64, f64, usize) {
    let (mut sure, mut uncertainty, mut rated) = (0.0, 0.0, 0);
    for at in 0..count as u64 {
        let (skill, battles) = career(Random(seed ^ at << 32).next(), mixes, strength);
        sure += (skill.rating - 3.0 * skill.uncertainty) / count as f64;
        uncertainty += skill.uncertainty / count as f64;
        rated += battles;
    }
    (sure, uncertainty, rated)
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// `SORTIE_CASES=50625` or more: every mix of both teams.
#[test]
fn no_company_lifts_a_player_above_its_honest_twin() {
    let seed = number_of("SIM_SEED").unwrap_or_else(|| uuid::Uuid::now_v7().as_u128() as u64);
    println!("SIM_SEED={seed}");
    let cases = (number_of("SORTIE_CASES").unwrap_or(60) as usize).min(MIXES * MIXES);
    for strength in [25.0, 30.0] {
        let (twin, error, _) = careers(seed, 300, [Mix::default(); 2], strength);
        println!("strength {strength}: the twin is surely {twin:.2}, standard error {error:.2}");
        assert!(error < UNCERTAINTY_DEFAULT / 3.0, "500 battles tell much: {error}");
        let (next, first) = (AtomicUsize::new(0), Random(seed).next() as usize % (MIXES * MIXES));
        // Coprime to the number of mixes: every mix comes once.
        let number = |case: usize| (first + case * 10_007) % (MIXES * MIXES);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let work = || {
            let (mut highest, mut rated) = ((f64::MIN, [Mix::default(); 2]), 0);
            loop {
                let case = next.fetch_add(1, Ordering::Relaxed);
                if case >= cases {
                    return (highest, rated);
                }
                let mixes = [number(case) % MIXES, number(case) / MIXES].map(Mix::of);
                let (sure, _, battles) = careers(seed ^ case as u64, CAREERS, mixes, strength);
                rated += battles;
                if sure - twin > highest.0 {
                    highest = (sure - twin, mixes);
                }
            }
        };
        let found = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
        });
        let rated: usize = found.iter().map(|(_, rated)| rated).sum();
        let all = found.into_iter().map(|(highest, _)| highest);
        let (above, mixes) = all.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap();
        println!("{cases} mixes, {rated} rated battles; highest {above:+.2} with {mixes:?}");
        assert!(rated > cases * CAREERS * BATTLES / 20, "hardly any battle was rated");
        assert!(above <= error, "{mixes:?} lifts a player by {above:.2}, more than {error:.2}");
    }
}
