//! Which passwords are good enough: 8 to 256 characters, and nothing that everybody tries first.
//! No rules about digits and signs: they make passwords worse, not better.

use std::sync::LazyLock;

use crate::error::AccountError;
use crate::hasher::prepared;

const CHARS_MIN: usize = 8;
const CHARS_MAX: usize = 256;

/// Sorted by bytes, lower case, one a line.
const COMMON: &str = include_str!("../../data/common_passwords.txt");

static COMMON_SORTED: LazyLock<Vec<&str>> = LazyLock::new(|| COMMON.lines().collect());

/// Refuses a bad new password; `names` are the player's name and address, if known.
///
/// # Errors
/// [`AccountError::PasswordLength`], [`AccountError::PasswordCommon`].
pub fn check(password: &str, names: &[&str]) -> Result<(), AccountError> {
    // Bytes first: counting characters of a megabyte is work, too.
    if password.len() > 4 * CHARS_MAX {
        return Err(AccountError::PasswordLength);
    }
    let password = &prepared(password);
    if password.chars().any(char::is_control)
        || !(CHARS_MIN..=CHARS_MAX).contains(&password.chars().count())
    {
        return Err(AccountError::PasswordLength);
    }
    let lower = password.to_lowercase();
    let is_common = COMMON_SORTED.binary_search(&lower.as_str()).is_ok();
    if is_common || has_few_characters(&lower) || names.iter().any(|name| is_like(&lower, name)) {
        return Err(AccountError::PasswordCommon);
    }
    Ok(())
}

/// Like `aaaaaaaa` or `abababab`.
fn has_few_characters(password: &str) -> bool {
    let mut seen: Vec<char> = password.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() < 4
}

/// Hardly more than the name, the address or what stands before its `@`.
fn is_like(password: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    let local = name.split('@').next().unwrap_or_default();
    let bare = password.trim_matches(|char: char| !char.is_alphabetic());
    [name.as_str(), local].into_iter().any(|name| {
        let bare_name = name.trim_matches(|char: char| !char.is_alphabetic());
        password == name || (bare_name.len() >= 3 && bare == bare_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str) -> &'static str {
        match check(password, &["Ada Lovelace", "countess@example.org"]) {
            Ok(()) => "good",
            Err(AccountError::PasswordLength) => "length",
            Err(_) => "common",
        }
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert_eq!(code("ünïcöd1"), "length");
        assert_eq!(code("ünïcöde1"), "good");
        assert_eq!(code(&"abcdefgh".repeat(8)), "good", "64 characters and more are welcome");
        assert_eq!(code(&"abcdefgh".repeat(32)), "good");
        assert_eq!(code(&"abcdefgh".repeat(33)), "length");
        assert_eq!(code(&"x".repeat(10_000_000)), "length");
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for password in
            ["password", "PassWord123", "qwertyui", "12345678", "iloveyou", "aaaaaaaaaa"]
        {
            assert_eq!(code(password), "common", "{password}");
        }
        for password in ["ada lovelace", "Ada Lovelace1815", "countess!!", "COUNTESS@example.org"] {
            assert_eq!(code(password), "common", "{password}");
        }
        assert_eq!(code("correct horse battery staple"), "good");
    }

    #[test]
    fn the_block_list_is_sorted_short_and_lower_case() {
        let lines = &*COMMON_SORTED;
        assert!(lines.is_sorted() && lines.len() > 3_000 && COMMON.len() <= 40_000);
        assert!(lines.iter().all(|line| line.len() >= CHARS_MIN && **line == line.to_lowercase()));
    }
}
