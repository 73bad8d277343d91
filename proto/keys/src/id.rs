//! Ids of keys.

use core::fmt;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// What a key pair is called: the first 8 bytes of the SHA-256 of its public key. Written as 16
/// lower-case hexadecimal digits.
///
/// It says which key to check a signature with, and is no proof of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; Self::BYTES]);

impl KeyId {
    /// Length, bytes.
    pub const BYTES: usize = 8;

    /// Of an Ed25519 public key.
    pub fn of(public_key: &[u8; 32]) -> Self {
        let hash = digest(&SHA256, public_key);
        let first = hash.as_ref().first_chunk().expect("a hash has 32 bytes");
        Self(*first)
    }

    /// As it travels.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// As it travels.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }

    /// Of its 16 lower-case hexadecimal digits; `None`: they are something else.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(digits.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_and_read_in_one_way() {
        // SHA-256 of 32 zero bytes begins so.
        let id = KeyId::of(&[0; 32]);
        assert_eq!(id.to_string(), "66687aadf862bd77");
        assert_eq!(KeyId::from_hex("66687aadf862bd77"), Some(id));
        assert_eq!(KeyId::from_bytes(id.to_bytes()), id);
        for other in ["", "66687aadf862bd7", "66687AADF862BD77", "66687aadf862bd7700", "no digits!"]
        {
            assert_eq!(KeyId::from_hex(other), None, "{other}");
        }
    }
}
