//! What is said in chat, and what players say about themselves: any script, any sign, but nothing
//! that hides, turns around or leaves its lines.
//!
//! - What is not seen is taken out, among it what turns the direction of a text: with it, a text
//!   reads otherwise than it is, and passes filters. Joiners and variation selectors stay between
//!   characters that use them (emoji, Arabic, Indic scripts).
//! - So many marks may stand on one letter, and so many lines are one text: more would cover what
//!   others say.

use std::ops::RangeInclusive;

use unicode_normalization::char::is_combining_mark;

use super::look::is_ignorable;

/// Marks that one letter may have: UTS 39 has no more than four.
const MARKS_MAX: usize = 4;

/// Bounds of a text.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How many characters.
    pub chars: RangeInclusive<usize>,
    /// How many lines, most.
    pub lines_max: usize,
}

/// The text as it is kept and shown, without blanks around it; `None`: it cannot be.
pub fn sane(text: &str, bounds: &Bounds) -> Option<String> {
    let chars_max = *bounds.chars.end();
    // Bytes first: whatever is longer is not looked at.
    if text.len() > 16 * (chars_max + 1) || text.chars().any(|c| c.is_control() && c != '\n') {
        return None;
    }
    let seen = without_hidden(text);
    let seen = seen.trim_matches(is_blank);
    let fits = bounds.chars.contains(&seen.chars().count())
        && seen.split(is_line_end).count() <= bounds.lines_max
        && marks_in_a_row(seen) <= MARKS_MAX;
    fits.then(|| seen.to_owned())
}

fn is_line_end(char: char) -> bool {
    matches!(char, '\n' | '\u{2028}' | '\u{2029}')
}

/// Blanks, and the Braille pattern without dots, which is none and looks like one.
fn is_blank(char: char) -> bool {
    char.is_whitespace() || char == '\u{2800}'
}

fn without_hidden(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let is_kept = if !is_ignorable(char) {
            true
        } else if is_joiner(char) {
            // Of a run of them, the last one.
            let joins = |char: &char| !char.is_ascii() && !is_blank(*char) && !is_ignorable(*char);
            seen.chars().next_back().is_some_and(|before| joins(&before) || is_selector(before))
                && chars.peek().is_some_and(joins)
        } else {
            // A selector of a look stands behind a sign (keycaps have ASCII ones), and once.
            is_selector(char)
                && seen.chars().next_back().is_some_and(|before| {
                    !before.is_alphabetic() && !is_blank(before) && !is_ignorable(before)
                })
        };
        if is_kept {
            seen.push(char);
        }
    }
    seen
}

fn is_joiner(char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}')
}

fn is_selector(char: char) -> bool {
    matches!(char, '\u{fe0e}' | '\u{fe0f}')
}

fn marks_in_a_row(text: &str) -> usize {
    let (mut most, mut row) = (0, 0);
    for char in text.chars() {
        row = if is_combining_mark(char) { row + 1 } else { 0 };
        most = most.max(row);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { chars: 1..=40, lines_max: 3 };

    fn text(text: &str) -> Option<String> {
        sane(text, &BOUNDS)
    }

    #[test]
    fn texts_of_all_scripts_stay_as_they_are() {
        for whole in [
            "hi\nthere",
            "für Élise 🙂",
            "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f} 1\u{fe0f}\u{20e3}",
            "🏳\u{fe0f}\u{200d}🌈",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "Tie\u{302}\u{301}ng",
            "A\u{434}am в игре",
        ] {
            assert_eq!(text(whole).as_deref(), Some(whole));
        }
        assert_eq!(text("  hi\nthere ").unwrap(), "hi\nthere");
    }

    #[test]
    fn what_hides_or_turns_around_is_taken_out() {
        assert_eq!(text("d\u{200b}a\u{ad}r\u{2060}n\u{200d}").unwrap(), "darn");
        assert_eq!(text("d\u{200d}arn").unwrap(), "darn");
        assert_eq!(text("\u{202e}nrad\u{202c} \u{2066}x\u{2069}").unwrap(), "nrad x");
        assert_eq!(text("a\u{fe0f}b").unwrap(), "ab");
        assert_eq!(text("❤\u{fe0f}\u{fe0f}").unwrap(), "❤\u{fe0f}");
        for blank in ["", "   ", "\u{200b}", "\u{3164}\u{3164}", "\u{2800}", "\u{202e} \u{202c}"] {
            assert_eq!(text(blank), None, "{}", blank.escape_unicode());
        }
    }

    #[test]
    fn what_leaves_its_lines_is_refused() {
        for bad in ["a\0b", "\u{1b}[2J", "a\nb\nc\nd", "a\u{2028}b\u{2028}c\u{2029}d"] {
            assert_eq!(text(bad), None, "{}", bad.escape_unicode());
        }
        assert!(text(&format!("a{}", "\u{301}".repeat(4))).is_some());
        assert!(text(&format!("a{}", "\u{301}".repeat(5))).is_none());
        assert!(text(&"x".repeat(40)).is_some() && text(&"x".repeat(41)).is_none());
        assert!(text(&"x".repeat(10_000_000)).is_none());
    }
}
