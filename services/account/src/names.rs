//! Names and mail addresses: the shapes that the database asks for, checked before it is asked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sortie_control::access::random_bytes;

use crate::error::AccountError;

const EMAIL_BYTES_MAX: usize = 254;

/// Refuses what cannot be a name.
///
/// # Errors
/// [`AccountError::NameShape`].
pub fn check(name: &str) -> Result<(), AccountError> {
    let is_sane = name.len() <= 4 * 24
        && (3..=24).contains(&name.chars().count())
        && name.chars().all(|char| char.is_alphanumeric() || " _.-".contains(char))
        && name.starts_with(char::is_alphanumeric)
        && name.ends_with(char::is_alphanumeric)
        // Two names must not look the same.
        && !name.contains("  ");
    if is_sane { Ok(()) } else { Err(AccountError::NameShape) }
}

/// Refuses what no mail can be sent to.
///
/// # Errors
/// [`AccountError::EmailShape`].
pub fn check_email(email: &str) -> Result<(), AccountError> {
    let is_sane = email.len() <= EMAIL_BYTES_MAX
        && !email.chars().any(|char| char.is_whitespace() || char.is_control())
        && email.matches('@').count() == 1
        && email.parse::<lettre::Address>().is_ok();
    if is_sane { Ok(()) } else { Err(AccountError::EmailShape) }
}

/// A name that nobody has chosen, like `Guest-4f0kQz1c`.
pub fn invented(prefix: &str) -> String {
    let text = BASE64.encode(random_bytes::<16>());
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    format!("{prefix}-{letters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["Ada", "Ada Lovelace", "x_y.z-1", "Ünïcödé", "a12345678901234567890123"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "ab", " ada", "ada ", "a  b", "a\u{0}b", "a\nb", "a@b", "-ada", "a<b>c"] {
            assert!(check(name).is_err(), "{name:?}");
        }
        assert!(check(&"x".repeat(25)).is_err() && check(&"x".repeat(1_000_000)).is_err());
        assert!(check(&invented("Guest")).is_ok() && check(&invented("Erased")).is_ok());
    }

    #[test]
    fn addresses_can_be_sent_to() {
        for email in ["ada@example.org", "a.b+c@sub.example.org"] {
            assert!(check_email(email).is_ok(), "{email}");
        }
        let long = format!("{}@example.org", "x".repeat(250));
        for email in ["", "ada", "@", "a@", "@b", "a@b@c.org", "a b@c.org", "a\u{0}@b.org", &long] {
            assert!(check_email(email).is_err(), "{email:?}");
        }
    }
}
