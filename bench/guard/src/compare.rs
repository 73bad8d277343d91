//! Figures against those that are committed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::measured::Figures;

/// How much worse than its baseline a figure may be, per cent.
pub const TOLERANCE: f64 = 3.0;

/// Start of the names of figures of which more is better; of all others less is.
const MORE_IS_BETTER: &str = "server/states";

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// A line for each figure: name, committed, now, difference.
    pub table: String,
    /// What is wrong, a line each.
    pub faults: Vec<String>,
}

/// Sets `now` against the baseline. A figure that is on one side only is a fault, too: a kernel
/// that is not measured any more guards nothing.
pub fn compare(baseline: &Figures, now: &Figures) -> Comparison {
    let mut result = Comparison::default();
    let names: BTreeSet<_> = baseline.keys().chain(now.keys()).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
    let mut line = |name: &str, old: &str, new: &str, change: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(result.table, "{name:<width$} {old:>12} {new:>12} {change:>9}");
    };
    line("figure", "committed", "now", "change");
    for name in names {
        match (baseline.get(name), now.get(name)) {
            (Some(&old), Some(&new)) => {
                let change = (new as f64 - old as f64) * 100.0 / (old as f64).max(1.0);
                line(name, &old.to_string(), &new.to_string(), &format!("{change:+.2} %"));
                let worse = if name.starts_with(MORE_IS_BETTER) { -change } else { change };
                if worse > TOLERANCE {
                    result.faults.push(format!("{name} is {worse:.2} % worse: {old} -> {new}"));
                }
            }
            (Some(old), None) => {
                line(name, &old.to_string(), "-", "gone");
                result.faults.push(format!("{name} is not measured any more"));
            }
            (None, now) => {
                line(name, "-", &now.map(u64::to_string).unwrap_or_default(), "new");
                result.faults.push(format!("{name} has no baseline"));
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(of: &[(&str, u64)]) -> Figures {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    fn faults(old: &[(&str, u64)], new: &[(&str, u64)]) -> Vec<String> {
        compare(&figures(old), &figures(new)).faults
    }

    #[test]
    fn three_per_cent_are_borne_and_more_is_not() {
        assert!(faults(&[("a", 1_000)], &[("a", 1_030)]).is_empty());
        assert!(faults(&[("a", 1_000)], &[("a", 10)]).is_empty());
        assert_eq!(faults(&[("a", 1_000)], &[("a", 1_031)]), ["a is 3.10 % worse: 1000 -> 1031"]);
        assert_eq!(faults(&[("a", 0)], &[("a", 1)]).len(), 1);
    }

    #[test]
    fn fewer_states_are_worse() {
        assert!(faults(&[("server/states", 100)], &[("server/states", 200)]).is_empty());
        assert_eq!(faults(&[("server/states", 100)], &[("server/states", 90)]).len(), 1);
    }

    #[test]
    fn every_figure_is_on_both_sides() {
        assert_eq!(faults(&[("a", 1)], &[]), ["a is not measured any more"]);
        assert_eq!(faults(&[], &[("a", 1)]), ["a has no baseline"]);
    }
}
