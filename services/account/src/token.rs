//! Opaque tokens: 32 random bytes, told to the player once; we keep their digest only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest;
use sortie_control::access::random_bytes;

const TEXT_BYTES: usize = 43;

/// A new token, and the digest to keep.
pub fn new() -> (String, Vec<u8>) {
    let text = BASE64.encode(random_bytes::<32>());
    let kept = digest_of(text.as_bytes());
    (text, kept)
}

/// The digest of a token that somebody sent; `None`: it cannot be one of ours.
pub fn digest_if_sane(text: &str) -> Option<Vec<u8>> {
    (text.len() == TEXT_BYTES).then(|| digest_of(text.as_bytes()))
}

/// SHA-256.
pub fn digest_of(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_digest_only() {
        let (text, kept) = new();
        assert_eq!(digest_if_sane(&text), Some(kept));
        assert_ne!(digest_if_sane(&new().0), digest_if_sane(&text));
        assert_eq!(digest_if_sane("short"), None);
        assert_eq!(digest_if_sane(&"x".repeat(1_000_000)), None);
    }
}
