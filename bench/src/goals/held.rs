//! G7: the largest number of players that one core holds on S1.

use std::io;

use super::bench::Bench;
use super::outcome::Outcome;
use crate::light::run::RunReport;
use sortie_players::scenario::Scenario;

/// Players held on one core, at least.
const HELD: usize = 1_200;

/// The search ends when it knows the number this well.
const STEP: usize = 50;

/// What the search never goes beyond.
const MOST: usize = 4_000;

/// Looks for the largest number held; without `--hold`, only whether the goal's number is.
///
/// # Errors
/// Those of the runs.
pub(super) fn g7(bench: &mut Bench<'_>) -> io::Result<Vec<Outcome>> {
    let (first, step) = if bench.options.quick { (40, 40) } else { (HELD, STEP) };
    let mut search = Search { held: 0, not_held: None, step };
    let (mut held, mut refused) = (None::<RunReport>, None::<RunReport>);
    let mut next = Some(first);
    while let Some(players) = next {
        // A neighbour on the machine may spoil one run; the second says that it was none.
        let mut run = bench.whole(Scenario::Uniform, players, 60, 1)?;
        if !run.holds() {
            eprintln!("  not held, once more: {}", run.guard());
            run = bench.whole(Scenario::Uniform, players, 60, 1)?;
        }
        eprintln!("  {players} players: {}", run.guard());
        let holds = run.holds() && run.is_true();
        *(if holds { &mut held } else { &mut refused }) = Some(run);
        next = search.note(players, holds);
        if !bench.options.hold || bench.options.quick {
            break;
        }
    }
    let figures = vec![search.held as f64];
    let guard = match (&held, &refused) {
        (Some(held), Some(refused)) => {
            let (most, why) = (refused.players, refused.guard());
            format!("{}; {most} are not held: {why}", held.guard())
        }
        (Some(run), None) | (None, Some(run)) => run.guard(),
        (None, None) => "no run".to_owned(),
    };
    let is_true = held.as_ref().or(refused.as_ref()).is_some_and(RunReport::is_true);
    let what = if bench.options.hold {
        format!("players held on one core on S1, to {step}")
    } else {
        "players held on one core on S1, not looked for more".to_owned()
    };
    let mut outcomes =
        vec![Outcome::new("G7", what, "", figures).at_least(HELD as f64).guard(is_true, guard)];
    if let Some(run) = held {
        let row = |what: &str, unit: &str, figure| Outcome::new("G7", what, unit, vec![figure]);
        outcomes.push(row("share of the core at that number", "", run.core_share));
        outcomes.push(row("memory of the server at that number", "MiB", run.rss_mib));
    }
    Ok(outcomes)
}

/// Finds the largest number that is held, if all smaller ones are.
struct Search {
    held: usize,
    not_held: Option<usize>,
    step: usize,
}

impl Search {
    /// Takes up a result; gives what to try next.
    fn note(&mut self, players: usize, holds: bool) -> Option<usize> {
        if holds {
            self.held = self.held.max(players);
        } else {
            self.not_held = Some(self.not_held.map_or(players, |least| least.min(players)));
        }
        let next = match self.not_held {
            // In larger and larger steps until one is too large.
            None => self.held + self.held / 4,
            Some(not_held) => (self.held + not_held) / 2,
        };
        let next = next - next % self.step;
        let is_new = next > self.held && self.not_held.is_none_or(|not_held| next < not_held);
        (is_new && next <= MOST).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(limit: usize) -> (usize, usize) {
        let mut search = Search { held: 0, not_held: None, step: STEP };
        let (mut next, mut runs) = (Some(HELD), 0);
        while let Some(players) = next {
            runs += 1;
            next = search.note(players, players <= limit);
        }
        (search.held, runs)
    }

    #[test]
    fn the_search_finds_the_largest_number_in_a_few_runs() {
        for (limit, held) in [(0, 0), (49, 0), (620, 600), (1_200, 1_200), (1_990, 1_950)] {
            let (found, runs) = find(limit);
            assert!(found == held && runs <= 9, "{limit}: {found} after {runs} runs");
        }
        assert!(find(100_000).0 > 3_000);
    }
}
