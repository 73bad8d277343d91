//! G6: how the cost of a tick grows with the number of players, and what a second thread brings.

use std::collections::BTreeMap;
use std::io;

use super::bench::Bench;
use super::details::Scaling;
use super::outcome::Outcome;
use crate::measure::listen::Heard;
use crate::measure::serve::{Serving, Spent};
use sortie_players::cpu::median;
use sortie_players::headless::SimRunConfig;
use sortie_players::scenario::Scenario;

/// Exponent at constant density, at most.
const CONSTANT: f64 = 1.05;

/// Exponent in one crowd, at most.
const CROWD: f64 = 1.30;

/// Two threads over one, at least.
const SPEEDUP: f64 = 1.8;

/// Players of the exponents.
const PLAYERS: [usize; 6] = [125, 250, 500, 1_000, 2_000, 4_000];

/// Both exponents and the speed-up, in memory: simulation, interest, snapshots and sealing.
///
/// # Errors
/// A player was told something wrong.
pub(super) fn g6(bench: &mut Bench<'_>) -> io::Result<Vec<Outcome>> {
    let quick = bench.options.quick;
    let players: &[usize] = if quick { &[60, 120] } else { &PLAYERS };
    let mut outcomes = Vec::new();
    for (scenario, what, most) in [
        (Scenario::Uniform, "exponent of a tick's CPU at constant density", CONSTANT),
        (Scenario::Crowd, "exponent of a tick's CPU in one crowd", CROWD),
    ] {
        let (mut exponents, mut states) = (Vec::new(), 0);
        for _ in 0..bench.options.repeats {
            let mut all = Scaling { scenario: scenario.to_string(), ..Scaling::default() };
            for &players in players {
                let tick = tick_us(bench, scenario, players, 1, quick)?;
                states += tick.states;
                all.points.push((players as f64, tick.us));
                all.parts.push(tick.parts);
                all.whole_states.push(tick.whole_states);
            }
            exponents.push(exponent(&all.points));
            bench.details.scaling.push(all);
        }
        let what = format!("{what}, {} to {} players", players[0], players[players.len() - 1]);
        let guard = format!("{states} states decoded as they are");
        outcomes
            .push(Outcome::new("G6", what, "", exponents).at_most(most).guard(states > 0, guard));
    }
    for (scenario, players) in
        [(Scenario::Uniform, 2_000), (Scenario::Crush, 1_000), (Scenario::Crowd, 1_000)]
    {
        let players = if quick { 100 } else { players };
        let (mut ratios, mut states) = (Vec::new(), 0);
        for _ in 0..bench.options.repeats {
            let one = tick_us(bench, scenario, players, 1, quick)?;
            let two = tick_us(bench, scenario, players, 2, quick)?;
            ratios.push(one.us / two.us);
            states += one.states + two.states;
        }
        let what = format!("two threads over one, {scenario}, {players} players");
        let guard = format!("{states} states decoded as they are");
        outcomes
            .push(Outcome::new("G6", what, "×", ratios).at_least(SPEEDUP).guard(states > 0, guard));
    }
    Ok(outcomes)
}

struct Tick {
    us: f64,
    states: u64,
    parts: BTreeMap<String, f64>,
    whole_states: f64,
}

/// The median tick of a battle, microseconds.
fn tick_us(
    bench: &Bench<'_>,
    scenario: Scenario,
    players: usize,
    threads: usize,
    quick: bool,
) -> io::Result<Tick> {
    let config = SimRunConfig {
        players,
        scenario,
        threads,
        allocations: Some(bench.allocations),
        ..SimRunConfig::default()
    };
    let mut serving = Serving::new(&config, true)?;
    // Who fights has to wait for the first wave; who walks is in the field at once.
    let warm_up = if scenario.is_peaceful() { 240 } else { 600 };
    let ticks = if quick { 20 } else { 120 };
    for _ in 0..warm_up {
        serving.tick()?;
    }
    let mut samples = Vec::with_capacity(ticks);
    let mut sums = BTreeMap::new();
    serving.heard = Heard::default();
    for _ in 0..ticks {
        let spent = serving.tick()?;
        samples.push(spent.sum().as_secs_f64() * 1e6);
        let Spent { inputs, step, look, tell, seal, .. } = spent;
        for (name, part) in
            [("inputs", inputs), ("step", step), ("look", look), ("tell", tell), ("seal", seal)]
        {
            *sums.entry(name.to_owned()).or_default() += part.as_secs_f64() * 1e6 / ticks as f64;
        }
    }
    let bits = serving.heard.bits;
    Ok(Tick {
        us: median(&mut samples),
        states: serving.heard.states,
        parts: sums,
        whole_states: bits.whole_count as f64 / bits.snapshots.max(1) as f64,
    })
}

/// The a of y ~ x^a, by least squares over the logarithms.
pub(super) fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|log| log.0), mean(|log| log.1));
    let with = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    let own = logs.iter().map(|(x, _)| (x - mean_x) * (x - mean_x)).sum::<f64>();
    if own > 0.0 { with / own } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_is_the_slope_of_the_logarithms() {
        let points: Vec<(f64, f64)> =
            [125.0, 500.0, 4_000.0].map(|x: f64| (x, 3.0 * x.powf(1.25))).into();
        assert!((exponent(&points) - 1.25).abs() < 1e-9);
        assert_eq!(exponent(&[(10.0, 3.0)]), 0.0);
    }
}
