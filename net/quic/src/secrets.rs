//! Keys that outlive the process: without them a restarted server could not tell its former
//! clients that their connections are gone, and they would wait out the idle timeout.

use std::sync::Arc;

use quinn_proto::crypto::{HandshakeTokenKey, HmacKey};
use ring::{hkdf, hmac};
use sortie_keys::random_bytes;

/// Root of the keys that sign resets, Retry tokens and connection ids.
#[derive(Clone)]
pub struct Secrets {
    root: [u8; 32],
}

impl Secrets {
    /// Keys derived from a root that the caller keeps. For tests and for stores of one's own.
    pub fn from_root(root: [u8; 32]) -> Self {
        Self { root }
    }

    /// Keys that nobody will know after this process.
    pub fn ephemeral() -> Self {
        Self { root: random_bytes() }
    }

    pub(crate) fn reset_key(&self) -> Arc<dyn HmacKey> {
        Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &self.derive(b"stateless reset")))
    }

    pub(crate) fn token_key(&self) -> Arc<dyn HandshakeTokenKey> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"sortie/1 retry token");
        Arc::new(salt.extract(&self.root))
    }

    pub(crate) fn cid_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.derive(b"connection id"))
    }

    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.root);
        let tag = hmac::sign(&key, purpose);
        tag.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes")
    }
}
