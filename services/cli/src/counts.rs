//! Counts as reports tell them.

use std::fmt;

/// A number with what it counts: `1 bot`, `2 bots`.
#[must_use]
pub fn counted(number: impl fmt::Display, noun: &str) -> String {
    let number = number.to_string();
    // Every noun that is counted in reports takes an s.
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// How a server kept its pace. `overruns` are ticks that took longer than they may, and those that
/// were left out because it was too far behind: there can be more of both than were stepped.
#[must_use]
pub fn pace(ticks: u64, overruns: u64, left_out: u64) -> String {
    let slow = counted(overruns.saturating_sub(left_out), "overrun");
    match left_out {
        0 => format!("{ticks}, {slow}"),
        _ => format!("{ticks}, {slow}; {left_out} more were left out to catch up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_counted_in_the_plural() {
        let told = [0, 1, 2, 11].map(|number| counted(number, "bot"));
        assert_eq!(told, ["0 bots", "1 bot", "2 bots", "11 bots"]);
    }

    #[test]
    fn ticks_that_were_left_out_are_no_overruns_of_those_that_were_stepped() {
        assert_eq!(pace(1_825, 0, 0), "1825, 0 overruns");
        let told = "1337, 640 overruns; 700 more were left out to catch up";
        assert_eq!(pace(1_337, 1_340, 700), told);
    }
}
