//! Figures as a Markdown table, with where they come from.

use std::fmt::{self, Write};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::pin;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// What was measured.
    pub what: String,
    /// The figure.
    pub figure: String,
    /// Its unit.
    pub unit: &'static str,
    /// What to know about it: the goal, the spread, what is in the number.
    pub note: String,
}

impl TableRow {
    /// A line without a note.
    pub fn new(what: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self { what: what.into(), figure: digits(figure), unit, note: String::new() }
    }

    /// With a note.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Three digits that matter.
pub fn digits(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 || figure == 0.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 0.1 => format!("{figure:.2}"),
        _ => format!("{figure:.4}"),
    }
}

/// One section: a heading and its table.
pub fn section(title: &str, rows: &[TableRow]) -> String {
    let mut text = format!("### {title}\n\n| what | figure | unit | note |\n|---|---:|---|---|\n");
    for TableRow { what, figure, unit, note } in rows {
        let _ = writeln!(text, "| {what} | {figure} | {unit} | {note} |");
    }
    text
}

/// Date, commit, machine and command, as every published figure needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The day, in UTC.
    pub date: String,
    /// The commit, and whether the tree had changes.
    pub commit: String,
    /// Cores and processor.
    pub machine: String,
    /// What prints the figures again.
    pub command: String,
}

impl Provenance {
    /// That of this run of the program `bin`.
    pub fn here(bin: &str) -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let mut command = format!("cargo run --release -p sortie-bench --bin {bin}");
        if !arguments.is_empty() {
            let _ = write!(command, " -- {}", arguments.join(" "));
        }
        let processor = processor().unwrap_or_else(|| "unknown processor".to_owned());
        Self {
            date: today(),
            commit: commit().unwrap_or_else(|| "unknown".to_owned()),
            machine: format!("{} × {processor}", pin::cores()),
            command,
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, commit, machine, command } = self;
        writeln!(
            f,
            "- date: {date}\n- commit: {commit}\n- machine: {machine}\n- command: `{command}`"
        )
    }
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let clean = git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if clean { commit } else { format!("{commit} with changes") })
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The date in UTC, by the civil calendar.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Days since 1970-01-01 as year, month and day (the well-known era arithmetic).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_778), (2026, 11, 21));
    }

    #[test]
    fn a_row_is_a_line_of_markdown() {
        let text = section("T", &[TableRow::new("a", 12.345, "µs").note("b")]);
        assert!(text.ends_with("| a | 12.3 | µs | b |\n"), "{text}");
        assert_eq!(
            (digits(0.0), digits(0.0123), digits(1234.5)),
            ("0".into(), "0.0123".into(), "1234".into())
        );
    }
}
