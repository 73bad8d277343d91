//! Keys that outlive the process: without them a restarted server could not tell its former
//! clients that their connections are gone, and they would wait out the idle timeout.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use quinn_proto::crypto::{HandshakeTokenKey, HmacKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};

use crate::identity::IdentityError;

/// Root of the keys that sign resets, Retry tokens and connection ids.
#[derive(Clone)]
pub struct Secrets {
    root: [u8; 32],
}

impl Secrets {
    /// Name of the file in the data directory.
    pub const FILE: &str = "quic-secret";

    /// Keys derived from a root that the caller keeps. For tests and for stores of one's own.
    pub fn from_root(root: [u8; 32]) -> Self {
        Self { root }
    }

    /// Keys that nobody will know after this process.
    pub fn ephemeral() -> Self {
        Self { root: random() }
    }

    /// Reads the root from the data directory, or makes one (mode 0600) at the first start.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = data_dir.join(Self::FILE);
        match fs::read(&path) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
                Ok(root) => Ok(Self { root }),
                Err(_) => Err(IdentityError::Damaged { path, detail: "must be 32 bytes".into() }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secrets = Self::ephemeral();
                write_private(&path, &secrets.root)
                    .map_err(|source| IdentityError::Write { path, source })?;
                Ok(secrets)
            }
            Err(source) => Err(IdentityError::Read { path, source }),
        }
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

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system's random source works");
    bytes
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // A leftover of an interrupted start may have any content and mode.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}
