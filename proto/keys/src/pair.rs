//! The key that signs.

use core::fmt;

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::{KeyId, random_bytes};

/// An Ed25519 key pair. `Debug` shows its id, never the private half.
pub struct KeyPair {
    pair: Ed25519KeyPair,
    public_key: [u8; 32],
    id: KeyId,
}

impl KeyPair {
    /// From the 32-byte private seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed");
        let mut public_key = [0; 32];
        public_key.copy_from_slice(pair.public_key().as_ref());
        Self { pair, public_key, id: KeyId::of(&public_key) }
    }

    /// A new one from the system's random numbers.
    ///
    /// # Panics
    /// As [`random_bytes`].
    pub fn generate() -> Self {
        Self::from_seed(&random_bytes())
    }

    /// What it is called.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The half that everybody may know.
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// The signature of these bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(bytes);
        signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.id).finish()
    }
}
