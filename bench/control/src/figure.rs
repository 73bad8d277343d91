//! Figures with what says that the measured work was right, and the table of them.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// The part that measured it.
    pub part: &'static str,
    /// What was measured.
    pub what: String,
    /// Of what.
    pub unit: &'static str,
    /// One value a repetition.
    pub values: Vec<f64>,
    /// The middle of the values.
    pub median: f64,
    /// The smallest and the largest.
    pub spread: (f64, f64),
    /// The check that stands beside it, like `10,000 of 10,000 matched once`.
    pub guard: String,
    /// Whether the work was right; figures of wrong work count for nothing.
    pub counts: bool,
}

/// What a part has measured so far.
#[derive(Debug)]
pub(crate) struct Figures {
    part: &'static str,
    rows: Vec<Figure>,
}

impl Figures {
    /// None yet.
    pub(crate) fn new(part: &'static str) -> Self {
        Self { part, rows: Vec::new() }
    }

    /// One more value of `what`; the guard of the last one is shown.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        value: f64,
        guard: impl Into<String>,
    ) {
        let (what, guard) = (what.into(), guard.into());
        let at = self.rows.iter().position(|row| row.what == what).unwrap_or_else(|| {
            let (part, values, spread) = (self.part, Vec::new(), (value, value));
            let guard = String::new();
            let row =
                Figure { part, what, unit, values, median: value, spread, guard, counts: true };
            self.rows.push(row);
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.values.push(value);
        row.median = median(&row.values);
        row.spread = (row.spread.0.min(value), row.spread.1.max(value));
        row.guard = guard;
    }

    /// What was not or wrongly measured, and why: nothing of this part counts.
    pub(crate) fn fail(&mut self, why: &str) {
        if self.rows.is_empty() {
            self.add("nothing", "", 0.0, "");
        }
        for row in &mut self.rows {
            row.counts = false;
            why.clone_into(&mut row.guard);
        }
    }

    /// Its lines.
    pub(crate) fn into_rows(self) -> Vec<Figure> {
        self.rows
    }
}

/// The table in Markdown.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text =
        "| part | what | median | spread | guard |\n|---|---|---:|---:|---|\n".to_owned();
    for Figure { part, what, unit, values, median, spread, guard, counts } in figures {
        let spread = match values.len() {
            0 | 1 => String::new(),
            _ => format!("{} to {}", digits(spread.0), digits(spread.1)),
        };
        let median = match counts {
            true => format!("{} {unit}", digits(*median)),
            false => "**does not count**".to_owned(),
        };
        let guard = guard.replace(['\n', '|'], " ");
        let _ = writeln!(text, "| {part} | {what} | {median} | {spread} | {guard} |");
    }
    text
}

/// Three digits that matter, thousands apart.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => {
            let mut text = format!("{value:.0}");
            let mut at = text.len();
            while at > 3 && text.as_bytes()[at - 4].is_ascii_digit() {
                at -= 3;
                text.insert(at, ',');
            }
            text
        }
        size if size >= 100.0 || value == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let (half, last) = (values.len() / 2, values.len().saturating_sub(1));
    match values.len() {
        0 => 0.0,
        count if count.is_multiple_of(2) => (values[half - 1] + values[half]) / 2.0,
        _ => values[last / 2],
    }
}

/// Milliseconds below which `share` (0 to 1) of `times` lie; sorts them. 0 of none.
pub(crate) fn quantile_ms(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let Some(last) = times.len().checked_sub(1) else { return 0.0 };
    let at = (times.len() as f64 * share).ceil() as usize;
    times[at.saturating_sub(1).min(last)].as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_thing_make_one_line() {
        let mut figures = Figures::new("part");
        for value in [3_000.0, 1_000.0, 1_234_567.0] {
            figures.add("what", "1/s", value, "all right");
        }
        let mut rows = figures.into_rows();
        assert_eq!((rows[0].median, rows[0].spread), (3_000.0, (1_000.0, 1_234_567.0)));
        let line = "| part | what | 3,000 1/s | 1,000 to 1,234,567 | all right |\n";
        assert!(table(&rows).ends_with(line), "{}", table(&rows));
        rows[0].counts = false;
        assert!(table(&rows).contains("| **does not count** |"));
    }

    #[test]
    fn quantiles_are_those_of_the_nearest_rank() {
        let mut times: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!((quantile_ms(&mut times, 0.5), quantile_ms(&mut times, 0.99)), (50.0, 99.0));
        assert_eq!(quantile_ms(&mut times, 1.0), 100.0);
        assert_eq!(quantile_ms(&mut [], 0.5), 0.0);
        assert_eq!(
            (median(&[1.0, 2.0]), digits(-1234.5), digits(12.34)),
            (1.5, "-1,234".to_owned(), "12.3".to_owned())
        );
    }
}
