//! G2 and G3: what a pair of client and visible soldier costs, in nanoseconds and in bits.

use std::io;

use super::bench::Bench;
use super::outcome::Outcome;
use crate::measure::copy;
use crate::measure::serve::{Serving, Spent};
use sortie_players::headless::SimRunConfig;
use sortie_players::scenario::Scenario;

/// Nanoseconds of a pair over those of copying 32 bytes, at most.
const COPIES: f64 = 10.0;

/// Bits of a changed soldier, at most.
const BITS: f64 = 40.0;

/// Bits of a changed soldier over the entropy of what changed, at most.
const OVER_ENTROPY: f64 = 1.2;

/// Bytes of snapshots for a client in a second of S1 with [`S1_PLAYERS`], at most.
const BYTES_PER_S: f64 = 13_000.0;

/// Players of S1 for the bytes.
const S1_PLAYERS: usize = 500;

/// Others that a player of S1 sees.
const VISIBLE: usize = 64;

/// Ticks before anything counts: the players scatter, buffers grow.
const WARM_UP_TICKS: u32 = 240;

/// G2.
///
/// # Errors
/// A player was told something wrong.
pub(super) fn g2(bench: &mut Bench<'_>) -> io::Result<Vec<Outcome>> {
    let (players, warm_up, ticks) =
        if bench.options.quick { (100, 120, 30) } else { (1_000, WARM_UP_TICKS, 180) };
    let (mut ratios, mut pair_ns, mut copy_ns) = (vec![], vec![], vec![]);
    let (mut look_ns, mut tell_ns, mut allocations, mut states) = (vec![], vec![], 0.0_f64, 0);
    for _ in 0..bench.options.repeats {
        let mut serving = Serving::new(&s1(bench, players), true)?;
        for _ in 0..warm_up {
            serving.tick()?;
        }
        // Of the same working set: a row of everyone, and a list of what each client sees.
        let copying = copy::measure(players, players, VISIBLE);
        let (mut sum, mut pairs) = (Spent::default(), 0);
        for _ in 0..ticks {
            let spent = serving.tick()?;
            sum.look += spent.look;
            sum.tell += spent.tell;
            sum.allocations += spent.allocations;
            pairs += serving.pairs();
        }
        let per_pair = |time: std::time::Duration| time.as_nanos() as f64 / pairs.max(1) as f64;
        let ns = per_pair(sum.look + sum.tell);
        ratios.push(ns / copying);
        pair_ns.push(ns);
        copy_ns.push(copying);
        look_ns.push(per_pair(sum.look));
        tell_ns.push(per_pair(sum.tell));
        allocations = allocations.max(sum.allocations as f64 / f64::from(ticks));
        states += serving.heard.states;
    }
    let row = |what: &str, figures| Outcome::new("G2", what, "ns", figures);
    let guard = format!("{states} states decoded as they are");
    let what = format!(
        "interest, difference and encoding of a pair over memcpy of 32 B, {players} players"
    );
    Ok(vec![
        Outcome::new("G2", what, "×", ratios).at_most(COPIES).guard(states > 0, guard),
        row("a pair", pair_ns),
        row("of this, interest", look_ns),
        row("of this, difference and encoding", tell_ns),
        row("memcpy of 32 B", copy_ns),
        Outcome::new("G2", "allocations a tick, all phases", "", vec![allocations]).at_most(0.0),
    ])
}

/// G3.
///
/// # Errors
/// A player was told something wrong, or the whole server did not run.
pub(super) fn g3(bench: &mut Bench<'_>) -> io::Result<Vec<Outcome>> {
    let (players, warm_up, ticks) =
        if bench.options.quick { (100, 120, 60) } else { (S1_PLAYERS, WARM_UP_TICKS, 600) };
    let mut serving = Serving::new(&s1(bench, players), true)?;
    for _ in 0..warm_up {
        serving.tick()?;
    }
    serving.heard = Default::default();
    let mut bytes = 0;
    for _ in 0..ticks {
        serving.tick()?;
        bytes += serving.bytes();
    }
    let (heard, bits) = (&serving.heard, &serving.heard.bits);
    let delta = bits.deltas as f64 / bits.deltas_count.max(1) as f64;
    let entropy = heard.deltas.entropy_bits();
    let guard = format!("{} states decoded as they are", heard.states);
    let is_true = heard.states > 0;
    let bytes_per_s = bytes as f64 / (players as f64 * f64::from(ticks)) * 60.0;
    let row = |what: &str, unit: &str, figure: f64| Outcome::new("G3", what, unit, vec![figure]);
    let a_snapshot = |sum: u64| sum as f64 / bits.snapshots.max(1) as f64;
    let mut outcomes = vec![
        row("coded bits of a changed soldier", "bit", delta)
            .at_most(BITS)
            .guard(is_true, guard.clone()),
        row("over the entropy of its differences", "×", delta / entropy)
            .at_most(OVER_ENTROPY)
            .guard(is_true, guard),
        row("entropy of its differences in x, z, yaw", "bit", entropy),
        row("changed soldiers of a snapshot", "", a_snapshot(bits.deltas_count)),
        row("header and own soldier of a snapshot", "bit", a_snapshot(bits.head)),
        row("whole states of a snapshot", "", a_snapshot(bits.whole_count)),
        row("bits of these", "bit", a_snapshot(bits.whole)),
        row("removals of a snapshot", "", a_snapshot(bits.removals_count)),
        row("bits of these", "bit", a_snapshot(bits.removals)),
        row("snapshots in memory, per client-second", "B", bytes_per_s),
    ];
    let players = if bench.options.quick { bench.options.players[0] } else { S1_PLAYERS };
    let pairs = bench.s1(players)?;
    let figures = pairs.iter().map(|pair| pair.run.app_bytes_per_s).collect();
    let (is_true, guard) = super::whole::guard(pairs);
    let what = format!("snapshots on S1 per client-second, {players} players");
    outcomes
        .push(Outcome::new("G3", what, "B", figures).at_most(BYTES_PER_S).guard(is_true, guard));
    Ok(outcomes)
}

/// S1 with so many players on one thread.
fn s1(bench: &Bench<'_>, players: usize) -> SimRunConfig {
    SimRunConfig {
        players,
        scenario: Scenario::Uniform,
        allocations: Some(bench.allocations),
        ..SimRunConfig::default()
    }
}
