//! An error with its causes as one sentence.
//!
//! Many errors of other crates print their cause and have it as a source as well: joined as they
//! are, the same words would stand there twice.

/// An error, then its causes, each after a colon; what has been said is not said again.
#[must_use]
pub fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            continue;
        }
        if cause.starts_with(&text) {
            // The first one; or one that says of what it is, as its context does.
            text = cause;
        } else if text.ends_with('?') {
            text += &format!(" ({cause})");
        } else {
            text += &format!(": {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{error, fmt, io};

    use anyhow::Context;

    use super::*;

    /// Prints its cause, which is its source as well.
    #[derive(Debug)]
    struct Doubled(io::Error);

    impl fmt::Display for Doubled {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "cannot read it: {}", self.0)
        }
    }

    impl error::Error for Doubled {
        fn source(&self) -> Option<&(dyn error::Error + 'static)> {
            Some(&self.0)
        }
    }

    fn missing() -> io::Error {
        io::Error::from_raw_os_error(2)
    }

    #[test]
    fn every_cause_is_told_once() {
        let cause = missing().to_string();
        let doubled = || anyhow::Error::new(Doubled(missing()));
        let in_context = |context| Err::<(), _>(doubled()).context(context).unwrap_err();
        let named = || Err::<(), _>(anyhow::anyhow!("my.file is none")).context("my.file");
        let asked = || Err::<(), _>(missing()).context("is it there?");
        for (error, expected) in [
            (anyhow::anyhow!("alone"), "alone".to_owned()),
            (doubled(), format!("cannot read it: {cause}")),
            (in_context("no start"), format!("no start: cannot read it: {cause}")),
            (named().unwrap_err(), "my.file is none".to_owned()),
            (asked().unwrap_err(), format!("is it there? ({cause})")),
        ] {
            assert_eq!(told(&error), expected);
        }
    }
}
