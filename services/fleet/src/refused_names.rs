//! Names that servers asked for and did not get: told once each, for a server asks on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The same name is told again after this long.
const TELL_EVERY: Duration = Duration::from_secs(600);

/// Names that are remembered; of more, none is told until an old one is forgotten.
const NAMES_MAX: usize = 256;

/// Names that were refused, and when that was told.
#[derive(Debug, Default)]
pub(crate) struct RefusedNames(Mutex<HashMap<String, Instant>>);

impl RefusedNames {
    /// A server was refused; logged unless it was a while ago.
    pub(crate) fn refused(&self, name: &str) {
        if self.is_news(name, Instant::now()) {
            tracing::warn!(
                name,
                "a server wants a name that is another's; it is refused until it has another \
                 --name, or the --data-dir of that server"
            );
        }
    }

    fn is_news(&self, name: &str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.duration_since(*at) < TELL_EVERY);
        if told.contains_key(name) || told.len() >= NAMES_MAX {
            return false;
        }
        told.insert(name.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_once_in_a_while() {
        let (names, start) = (RefusedNames::default(), Instant::now());
        assert!(names.is_news("eu-1", start));
        assert!(!names.is_news("eu-1", start + Duration::from_secs(3)));
        assert!(names.is_news("eu-2", start + Duration::from_secs(3)), "another name");
        assert!(names.is_news("eu-1", start + TELL_EVERY));
    }

    #[test]
    fn names_that_are_made_up_fill_no_log() {
        let (names, start) = (RefusedNames::default(), Instant::now());
        let told = (0..NAMES_MAX * 2).filter(|n| names.is_news(&n.to_string(), start)).count();
        assert_eq!(told, NAMES_MAX);
    }
}
