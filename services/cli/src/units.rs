//! Values as people write them: `30s`, `100ms`, `5%`. The same spelling serves flags, environment
//! and file, and `--print-config` prints it back.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::{DecodeError, DecodeKind, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use crate::counts::counted;

/// A duration written as `250ms`, `30s`, `3m` or `1h`; parts add up: `1m30s`. Up to thirty years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// Thirty years: whatever is longer is a mistake.
const SPAN_MAX: Duration = Duration::from_secs(30 * 365 * 86_400);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("'{text}' is no duration; write it like 250ms, 30s, 3m or 1m30s");
        // A capital M would be months.
        if text.contains(char::is_uppercase) {
            return Err(refuse());
        }
        let span = humantime::parse_duration(text.trim()).map_err(|_| refuse())?;
        if span > SPAN_MAX {
            return Err(format!("'{text}' is longer than thirty years"));
        }
        Ok(Self(span))
    }
}

impl fmt::Display for Span {
    /// In one word, so that a flag takes it back as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0");
        }
        f.write_str(&humantime::format_duration(self.0).to_string().replace(' ', ""))
    }
}

/// A share written as `5%`, `0.5%` or `0.05`; 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("'{text}' is no share; write it like 5% or 0.05");
        let (number, scale) = match text.trim().strip_suffix('%') {
            Some(number) => (number.trim_end(), 0.01),
            None => (text.trim(), 1.0),
        };
        let share = number.parse::<f64>().map_err(|_| refuse())? * scale;
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(format!("'{text}' is not between 0% and 100%"))
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ten digits after the point hide what binary fractions add to 5 %.
        write!(f, "{}%", (self.0 * 1e12).round() / 1e10)
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_text!(Span, Share);

/// Reads a whole number within bounds; says which ones where it is none or another one.
pub fn number_in(
    range: RangeInclusive<u16>,
) -> impl Fn(&str) -> Result<u16, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        number.ok_or_else(|| format!("a number from {least} to {most} is needed"))
    }
}

/// Bytes written as hexadecimal digits.
pub fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let refusal = |error: DecodeError| match error.kind {
        DecodeKind::Length => "an even number of hexadecimal digits is needed",
        _ => "not all of it is hexadecimal digits",
    };
    HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|error| refusal(error).to_owned())
}

/// Exactly 32 bytes in hexadecimal: keys and fingerprints.
pub fn key_from_hex(text: &str) -> Result<[u8; 32], String> {
    let text = text.trim();
    if text.chars().count() != 64 {
        let given = counted(text.chars().count(), "character");
        return Err(format!("64 hexadecimal digits are needed, not {given}"));
    }
    from_hex(text)?.try_into().map_err(|_| "64 hexadecimal digits are needed".to_owned())
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let parsed = |text: &str| text.parse::<Span>().map(|span| span.0.as_millis() as u64);
        assert_eq!(parsed("30s"), Ok(30_000));
        assert_eq!(parsed("100ms"), Ok(100));
        assert_eq!(parsed("1m30s"), Ok(90_000));
        assert_eq!(parsed("1.5s"), Ok(1_500));
        assert_eq!(parsed("0"), Ok(0));
        assert_eq!(parsed("3 minutes"), Ok(180_000));
        assert_eq!(Span(Duration::from_secs(90)).to_string(), "1m30s");
        for wrong in ["", "30", "s", "5M", "-1s", "1e9h", "9999999999h"] {
            assert!(parsed(wrong).is_err(), "{wrong} was taken for a duration");
        }
    }

    #[test]
    fn shares_read_as_percent_or_fraction() {
        assert_eq!("5%".parse(), Ok(Share(0.05)));
        assert_eq!("0.05".parse(), Ok(Share(0.05)));
        assert_eq!(Share(0.05).to_string(), "5%");
        for wrong in ["", "%", "101%", "-1%", "NaN", "1.1"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong} was taken for a share");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused_by_its_digits() {
        assert_eq!(key_from_hex(&"ab".repeat(32)), Ok([0xab; 32]));
        let error = key_from_hex("a").unwrap_err();
        assert_eq!(error, "64 hexadecimal digits are needed, not 1 character");
    }

    proptest! {
        #[test]
        fn every_duration_prints_as_it_is_read(millis in 0u64..100_000_000) {
            let span = Span(Duration::from_millis(millis));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<Span>();
            let _ = text.parse::<Share>();
            let _ = from_hex(&text);
        }

        #[test]
        fn bytes_survive_hexadecimal(bytes: Vec<u8>) {
            prop_assert_eq!(from_hex(&HEXLOWER.encode(&bytes)), Ok(bytes));
        }
    }
}
