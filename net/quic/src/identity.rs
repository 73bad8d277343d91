//! Who the server is: a certificate from PEM files, or a self-signed one made at the first start.
//! Clients pin its fingerprint.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ring::digest;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::secrets::write_private;

/// SHA-256 of a certificate's DER form; reads and prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let hash = digest::digest(&digest::SHA256, certificate);
        Self(hash.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits (SHA-256 of the certificate)")]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(FingerprintError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| FingerprintError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| FingerprintError)?;
        }
        Ok(Self(bytes))
    }
}

/// Why a certificate, key or secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}; the data directory must be writable", path.display())]
    Write {
        /// The file.
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

/// A certificate chain and its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Names of the self-signed identity's files in the data directory.
    pub const FILES: [&str; 2] = ["quic-cert.pem", "quic-key.pem"];

    /// Reads a certificate chain (leaf first) and its key from PEM files.
    pub fn from_pem(chain_path: &Path, key_path: &Path) -> Result<Self, IdentityError> {
        let damaged = |path: &Path, error: PemError| IdentityError::Damaged {
            path: path.to_owned(),
            detail: error.to_string(),
        };
        let chain = CertificateDer::pem_slice_iter(&read(chain_path)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| damaged(chain_path, error))?;
        if chain.is_empty() {
            let detail = "holds no CERTIFICATE section".to_owned();
            return Err(IdentityError::Damaged { path: chain_path.to_owned(), detail });
        }
        let key = PrivateKeyDer::from_pem_slice(&read(key_path)?)
            .map_err(|error| damaged(key_path, error))?;
        Ok(Self { chain, key })
    }

    /// The self-signed identity of a data directory; made (key with mode 0600) at the first start.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, IdentityError> {
        let [chain_path, key_path] = Self::FILES.map(|name| data_dir.join(name));
        match (chain_path.exists(), key_path.exists()) {
            (true, true) => return Self::from_pem(&chain_path, &key_path),
            (true, false) => return Err(IdentityError::Half { path: key_path }),
            // The key is written first: alone it is the leftover of an interrupted first start.
            (false, _) => {}
        }
        let (certificate, key) = make()?;
        let write = |path: PathBuf, pem: String| {
            write_private(&path, pem.as_bytes())
                .map_err(|source| IdentityError::Write { path, source })
        };
        write(key_path, key.serialize_pem())?;
        write(chain_path, certificate.pem())?;
        Ok(Self::from_made(&certificate, &key))
    }

    /// A self-signed identity that lives as long as the process.
    pub fn ephemeral() -> Result<Self, IdentityError> {
        let (certificate, key) = make()?;
        Ok(Self::from_made(&certificate, &key))
    }

    /// What clients pin: the fingerprint of the leaf certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.chain[0])
    }

    pub(crate) fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), self.key.clone_key())
    }

    fn from_made(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> Self {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Self { chain: vec![certificate.der().clone()], key }
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        let (chain, key) = self.parts();
        Self { chain, key }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    fs::read(path).map_err(|source| IdentityError::Read { path: path.to_owned(), source })
}

fn make() -> Result<(rcgen::Certificate, rcgen::KeyPair), rcgen::Error> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec![crate::tls::SERVER_NAME.to_owned()])?
        .self_signed(&key)?;
    Ok((certificate, key))
}
