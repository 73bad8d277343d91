//! What ended a battle, as battle servers report it and the control plane stores it.

use crate::words::words;

words! {
    /// What ended a battle.
    EndedBy {
        /// The round was decided.
        Round = "round",
        /// Its time was over.
        Duration = "duration",
        /// Its server stopped.
        Stopped = "stopped",
        /// Staff.
        Operator = "operator",
    }
}

impl EndedBy {
    /// Whether the battle was fought out, so that it counts. What is not known here does not: the
    /// result is stored, and ratings stay.
    pub fn is_result(&self) -> bool {
        matches!(self, Self::Round | Self::Duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that goes or changes here is a word that rows and older programs have.
    #[test]
    fn each_end_is_named_as_it_always_was_and_read_again() {
        let names: Vec<&str> = EndedBy::names().collect();
        assert_eq!(names[..4], ["round", "duration", "stopped", "operator"]);
        for end in EndedBy::ALL {
            assert_eq!(EndedBy::of_name(end.name()), *end);
        }
    }

    #[test]
    fn a_newer_servers_end_is_kept_and_counts_for_nothing() {
        let end = EndedBy::of_name("surrender");
        assert_eq!(end, EndedBy::Other("surrender".to_owned()));
        assert_eq!((end.name(), end.is_known(), end.is_result()), ("surrender", false, false));
        assert!(EndedBy::Round.is_result() && EndedBy::Duration.is_result());
        assert!(!EndedBy::Stopped.is_result() && !EndedBy::Operator.is_result());
    }
}
