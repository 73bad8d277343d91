//! Codes that players read to each other: six capital letters and digits, no 0 and no 1.

use sortie_control::access::random_bytes;

/// Tries before a caller is told to come back: with a million parties, one code in 1,500 is taken.
pub(crate) const TRIES: usize = 4;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ23456789";
const LETTERS: usize = 6;

/// A new random code.
pub(crate) fn random() -> String {
    let mut number = u64::from_le_bytes(random_bytes());
    let letter = |_| {
        let at = number % ALPHABET.len() as u64;
        number /= ALPHABET.len() as u64;
        char::from(ALPHABET[at as usize])
    };
    (0..LETTERS).map(letter).collect()
}

/// What a player typed, as it was given out; `None`: no such code can be.
pub(crate) fn typed(text: &str) -> Option<String> {
    if text.len() > 64 {
        return None;
    }
    let code = text.trim().to_ascii_uppercase();
    let is_code = code.len() == LETTERS && code.bytes().all(|byte| ALPHABET.contains(&byte));
    is_code.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_they_are_given_out() {
        for _ in 0..1_000 {
            let code = random();
            assert_eq!(typed(&format!(" {} ", code.to_lowercase())), Some(code));
        }
        for bad in ["", "ABC", "ABCDE0", "ABCDE1", "ABCDEFG", "ÄBCDEF", &"A".repeat(10_000)] {
            assert_eq!(typed(bad), None);
        }
    }
}
