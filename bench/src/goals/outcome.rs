//! A goal, what was measured for it, and whether that is enough.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::measure::table::digits;
use sortie_players::cpu::median;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
    /// Told for orientation only.
    None,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// `G1` to `G8`.
    pub goal: String,
    /// What was measured.
    pub what: String,
    /// Unit of the figures.
    pub unit: String,
    /// What they should be.
    pub target: Bound,
    /// One figure per repeat.
    pub figures: Vec<f64>,
    /// What says that the measured work was done, and done right.
    pub guard: String,
    /// Whether it says so; figures of wrong work count for nothing.
    pub is_true: bool,
}

impl Outcome {
    /// A line without a target whose guard is still to come.
    pub fn new(goal: &str, what: impl Into<String>, unit: &str, figures: Vec<f64>) -> Self {
        Self {
            goal: goal.to_owned(),
            what: what.into(),
            unit: unit.to_owned(),
            target: Bound::None,
            figures,
            guard: String::new(),
            is_true: true,
        }
    }

    /// With a target.
    pub fn at_most(self, most: f64) -> Self {
        Self { target: Bound::AtMost(most), ..self }
    }

    /// With a target.
    pub fn at_least(self, least: f64) -> Self {
        Self { target: Bound::AtLeast(least), ..self }
    }

    /// With what was checked, and whether it was so.
    pub fn guard(self, is_true: bool, guard: impl Into<String>) -> Self {
        Self { guard: guard.into(), is_true, ..self }
    }

    /// The middle of the figures.
    pub fn median(&self) -> f64 {
        median(&mut self.figures.clone())
    }

    /// The smallest and the largest figure.
    pub fn spread(&self) -> (f64, f64) {
        let least = self.figures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (least, most)
    }

    /// Whether the median is as it should be and the work was right; `None` without a target.
    pub fn is_met(&self) -> Option<bool> {
        let median = self.median();
        let reached = match self.target {
            Bound::AtMost(most) => median <= most,
            Bound::AtLeast(least) => median >= least,
            Bound::None => return None,
        };
        Some(reached && self.is_true && !self.figures.is_empty())
    }

    /// Met, or by how much not.
    fn verdict(&self) -> String {
        if !self.is_true {
            return "**does not count**".to_owned();
        }
        let (Bound::AtMost(wanted) | Bound::AtLeast(wanted)) = self.target else {
            return String::new();
        };
        match self.is_met() {
            Some(true) => "met".to_owned(),
            _ if self.figures.is_empty() => "not measured".to_owned(),
            _ if wanted == 0.0 => format!("missed by {}", digits(self.median())),
            _ => format!("missed by {:.0} %", 100.0 * (self.median() / wanted - 1.0).abs()),
        }
    }
}

/// The table in Markdown.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = "| goal | what | target | median | spread | | guard |\n|---|---|---:|---:|---:|\
                    ---|---|\n"
        .to_owned();
    for outcome in outcomes {
        let target = match outcome.target {
            Bound::AtMost(most) => format!("≤ {}", digits(most)),
            Bound::AtLeast(least) => format!("≥ {}", digits(least)),
            Bound::None => String::new(),
        };
        let (least, most) = outcome.spread();
        let spread = match outcome.figures.len() {
            0 | 1 => String::new(),
            _ => format!("{} to {}", digits(least), digits(most)),
        };
        let Outcome { goal, what, unit, guard, .. } = outcome;
        let (median, verdict) = (digits(outcome.median()), outcome.verdict());
        let _ = writeln!(
            text,
            "| {goal} | {what} | {target} | {median} {unit} | {spread} | {verdict} | {guard} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whether_the_goal_is_met() {
        let outcome = Outcome::new("G1", "a", "×", vec![1.8, 1.6, 1.7]).at_most(1.7);
        assert_eq!((outcome.median(), outcome.spread()), (1.7, (1.6, 1.8)));
        assert_eq!(outcome.is_met(), Some(true));
        let text = table(std::slice::from_ref(&outcome));
        assert!(text.ends_with("| G1 | a | ≤ 1.70 | 1.70 × | 1.60 to 1.80 | met |  |\n"), "{text}");
        let missed = outcome.clone().at_most(1.0);
        assert_eq!((missed.is_met(), missed.verdict().as_str()), (Some(false), "missed by 70 %"));
        let wrong = outcome.guard(false, "3 of 7 wrong");
        assert_eq!((wrong.is_met(), wrong.verdict().as_str()), (Some(false), "**does not count**"));
        assert_eq!(Outcome::new("G1", "a", "×", vec![]).at_least(2.0).verdict(), "not measured");
    }
}
