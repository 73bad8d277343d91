//! Opaque tokens: 32 random bytes, told to the player once; we keep their digest only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest;
use sortie_control::access::random_bytes;
use uuid::Uuid;

const TEXT_BYTES: usize = 43;

const REFRESH_TEXT_BYTES: usize = 64;

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

/// A new refresh token of a login, and the digest to keep.
///
/// It begins with the login's id: one that we do not know any more still tells which login it is a
/// copy from.
pub fn new_refresh(session_id: Uuid) -> (String, Vec<u8>) {
    let mut bytes = [0; 48];
    let (id, random) = bytes.split_at_mut(16);
    id.copy_from_slice(session_id.as_bytes());
    random.copy_from_slice(&random_bytes::<32>());
    let text = BASE64.encode(bytes);
    let kept = digest_of(text.as_bytes());
    (text, kept)
}

/// The login and the digest of a refresh token that somebody sent; `None`: it cannot be one of
/// ours.
pub fn refresh_if_sane(text: &str) -> Option<(Uuid, Vec<u8>)> {
    let text = Some(text).filter(|text| text.len() == REFRESH_TEXT_BYTES)?;
    let bytes = BASE64.decode(text).ok()?;
    let session_id = Uuid::from_slice(bytes.get(..16)?).ok()?;
    Some((session_id, digest_of(text.as_bytes())))
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

    #[test]
    fn a_refresh_token_tells_its_login() {
        let session_id = Uuid::from_u128(7);
        let (text, kept) = new_refresh(session_id);
        assert_eq!(text.len(), REFRESH_TEXT_BYTES);
        assert_eq!(refresh_if_sane(&text), Some((session_id, kept)));
        assert_ne!(new_refresh(session_id).0, text);
        for rubbish in ["", "x", &"!".repeat(64), &"x".repeat(1_000_000), &text[1..]] {
            assert_eq!(refresh_if_sane(rubbish), None);
        }
    }
}
