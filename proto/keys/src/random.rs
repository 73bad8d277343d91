//! Random bytes.

use ring::rand::{SecureRandom, SystemRandom};

/// Bytes from the system's random source, for keys, secrets and ids that nobody can guess.
///
/// # Panics
/// The system has none: nothing secret could be made, and nothing can go on.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system's random source works");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(random_bytes::<16>(), random_bytes::<16>());
    }
}
