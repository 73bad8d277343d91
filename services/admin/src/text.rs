//! What somebody writes and others read: reasons, notes, appeals, reports, messages.

use std::ops::RangeInclusive;

use sortie_control::text::prose::{self, Bounds};

use crate::error::AdminError;

/// Lines of a text: a long note has room.
const LINES_MAX: usize = 50;

/// The text as it is kept and shown: without what is not seen and without what turns its direction.
///
/// # Errors
/// [`AdminError::BadValue`] with `fault`: it has another length, control codes or too many lines.
pub(crate) fn sane(
    text: &str,
    chars: RangeInclusive<usize>,
    fault: &'static str,
) -> Result<String, AdminError> {
    let bounds = Bounds { chars, lines_max: LINES_MAX };
    prose::sane(text, &bounds).ok_or(AdminError::BadValue(fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_turns_around_is_taken_out() {
        let text = |text| sane(text, 3..=20, "a fault").ok();
        assert_eq!(text("he is\n\u{202e}a cheat").as_deref(), Some("he is\na cheat"));
        assert_eq!(text("a\u{200b}b\u{200b}"), None, "two characters that are seen");
        for bad in ["a\0bc", "\u{1b}[2J abc", &"x".repeat(21), &"x\n".repeat(60)] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
    }
}
