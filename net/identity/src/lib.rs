//! What a battle server keeps so that its players know it again after a restart: its certificate
//! with the key, and the root of its transport keys.
//!
//! Clients need none of this, so that it stands apart from `sortie-quic`, which they share.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sortie_quic::{Identity, SERVER_NAME, Secrets};

/// Names of the self-signed certificate's file and its key's in the data directory.
pub const FILES: [&str; 2] = ["quic-cert.pem", "quic-key.pem"];

/// Name of the secrets' file in the data directory.
pub const SECRETS_FILE: &str = "quic-secret";

/// Why a certificate, key or secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Path of the file that cannot be read.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}; the data directory must be writable", path.display())]
    Write {
        /// Path of the file that cannot be written.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Half of the self-signed identity is missing.
    #[error(
        "{} is missing beside its other half; restore it, or remove both to get a new identity \
         (clients then need its new fingerprint)", path.display()
    )]
    Half {
        /// The file that is missing.
        path: PathBuf,
    },
    /// A new certificate could not be made.
    #[error("cannot make a self-signed certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// Reads a certificate chain (leaf first) and its key from PEM files.
///
/// # Errors
/// A file cannot be read, or holds something else.
pub fn from_pem(chain_path: &Path, key_path: &Path) -> Result<Identity, IdentityError> {
    let damaged = |path: &Path, error: PemError| IdentityError::Damaged {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let chain = CertificateDer::pem_slice_iter(&read(chain_path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| damaged(chain_path, error))?;
    let empty = || IdentityError::Damaged {
        path: chain_path.to_owned(),
        detail: "holds no CERTIFICATE section".to_owned(),
    };
    if chain.is_empty() {
        return Err(empty());
    }
    let key = PrivateKeyDer::from_pem_slice(&read(key_path)?)
        .map_err(|error| damaged(key_path, error))?;
    Identity::new(chain, key).ok_or_else(empty)
}

/// The self-signed identity of a data directory; made (key with mode 0600) at the first start.
///
/// # Errors
/// A file cannot be read or written, holds something else, or its other half is missing.
pub fn load_or_create(data_dir: &Path) -> Result<Identity, IdentityError> {
    let [chain_path, key_path] = FILES.map(|name| data_dir.join(name));
    match (chain_path.exists(), key_path.exists()) {
        (true, true) => return from_pem(&chain_path, &key_path),
        (true, false) => return Err(IdentityError::Half { path: key_path }),
        // The key is written first: alone it is the leftover of an interrupted first start.
        (false, _) => {}
    }
    let (certificate, key) = make()?;
    let write = |path: PathBuf, pem: String| {
        write_private(&path, pem.as_bytes()).map_err(|source| IdentityError::Write { path, source })
    };
    write(key_path, key.serialize_pem())?;
    write(chain_path, certificate.pem())?;
    Ok(identity(&certificate, &key))
}

/// A self-signed identity that lives as long as the process.
///
/// # Errors
/// The certificate cannot be made.
pub fn ephemeral() -> Result<Identity, IdentityError> {
    let (certificate, key) = make()?;
    Ok(identity(&certificate, &key))
}

/// The secrets of a data directory; made (mode 0600) at the first start.
///
/// # Errors
/// The file cannot be read or written, or holds something else.
pub fn load_or_create_secrets(data_dir: &Path) -> Result<Secrets, IdentityError> {
    let path = data_dir.join(SECRETS_FILE);
    match fs::read(&path) {
        Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
            Ok(root) => Ok(Secrets::from_root(root)),
            Err(_) => Err(IdentityError::Damaged { path, detail: "must be 32 bytes".into() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let root = sortie_keys::random_bytes();
            write_private(&path, &root).map_err(|source| IdentityError::Write { path, source })?;
            Ok(Secrets::from_root(root))
        }
        Err(source) => Err(IdentityError::Read { path, source }),
    }
}

fn make() -> Result<(rcgen::Certificate, rcgen::KeyPair), rcgen::Error> {
    let key = rcgen::KeyPair::generate()?;
    let names = vec![SERVER_NAME.to_owned()];
    let certificate = rcgen::CertificateParams::new(names)?.self_signed(&key)?;
    Ok((certificate, key))
}

fn identity(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> Identity {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Identity::new(vec![certificate.der().clone()], key).expect("a chain of one")
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    fs::read(path).map_err(|source| IdentityError::Read { path: path.to_owned(), source })
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // A leftover of an interrupted start may have any content and mode.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}
