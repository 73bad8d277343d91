//! Names and mail addresses, checked before the database is asked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sortie_control::access::random_bytes;
use sortie_control::text::name::{self, BadName};
use sortie_control::text::words::Words;
use sqlx::PgPool;

use crate::error::AccountError;

const EMAIL_BYTES_MAX: usize = 254;

/// The name that somebody chose, as it is kept.
///
/// # Errors
/// [`AccountError::NameShape`], [`AccountError::NameScripts`], [`AccountError::NameReserved`].
pub fn chosen(text: &str) -> Result<String, AccountError> {
    name::chosen(text, &name::PLAYER).map_err(|bad| match bad {
        BadName::Shape => AccountError::NameShape,
        BadName::Scripts => AccountError::NameScripts,
        BadName::Reserved => AccountError::NameReserved,
    })
}

/// Refuses names with words of the filter in them.
///
/// # Errors
/// [`AccountError::NameWord`], or the database is away.
pub async fn refuse_words(db: &PgPool, name: &str) -> Result<(), AccountError> {
    if Words::load(db).await?.refuse_name(name) { Err(AccountError::NameWord) } else { Ok(()) }
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
    fn invented_names_are_names() {
        for prefix in ["Guest", "Erased"] {
            let name = invented(prefix);
            assert_eq!(name::composed(&name, &name::PLAYER).unwrap(), name);
        }
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
