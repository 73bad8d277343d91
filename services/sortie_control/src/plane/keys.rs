//! Keys and secrets of the control plane: files that only their owner can read.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use data_encoding::HEXLOWER;
use sortie_control::access::AccessKeys;
use sortie_keys::{KeyPair, PublicKeys, random_bytes};

use sortie_cli::units::key_from_hex;

const OTHER_ACCESS: &str = "--access-verification-key-file";
const OTHER_TICKETS: &str = "--ticket-verification-key-file";

/// Where the keys are.
#[derive(Clone, Debug)]
pub(crate) struct KeyFiles {
    /// Ed25519 seed that signs access tokens, hexadecimal. All nodes have the same.
    pub access: PathBuf,
    /// Ed25519 seed that signs join tickets, hexadecimal. It never leaves the control plane.
    pub ticket: PathBuf,
    /// Seeds beside `access`, while keys are exchanged: what they signed is good as well.
    pub other_access: Vec<PathBuf>,
    /// Seeds beside `ticket`; battle servers are told their public keys.
    pub other_tickets: Vec<PathBuf>,
    /// The secret that battle servers show, at least 16 characters.
    pub fleet_secret: PathBuf,
}

/// The keys.
pub(crate) struct Keys {
    /// Access tokens.
    pub access: AccessKeys,
    /// Seed of join tickets.
    pub ticket_seed: [u8; 32],
    /// What battle servers check join tickets with.
    pub ticket_public: PublicKeys,
    /// What battle servers show.
    pub fleet_secret: String,
}

impl KeyFiles {
    /// Their places in a data directory.
    pub(crate) fn in_dir(data_dir: &Path) -> Self {
        let keys = data_dir.join("keys");
        Self {
            access: keys.join("access"),
            ticket: keys.join("ticket"),
            other_access: Vec::new(),
            other_tickets: Vec::new(),
            fleet_secret: keys.join("fleet-secret"),
        }
    }

    /// Makes those that are not there: for development and `up`.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn make_missing(&self) -> anyhow::Result<()> {
        for file in [&self.access, &self.ticket, &self.fleet_secret] {
            if let Some(folder) = file.parent() {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
                made.with_context(|| format!("cannot make {}", folder.display()))?;
            }
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).mode(0o600).open(file) {
                Ok(mut file) => writeln!(file, "{}", HEXLOWER.encode(&random_bytes::<32>()))?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot write {}", file.display()));
                }
            }
        }
        Ok(())
    }

    /// Reads them.
    ///
    /// # Errors
    /// One is missing, open to others, or no key; or there are too many.
    pub(crate) fn read(&self) -> anyhow::Result<Keys> {
        let access = seed(&self.access, "access key", "--access-key-file")?;
        let other_access = seeds(&self.other_access, "access key", OTHER_ACCESS)?;
        let ticket_seed = seed(&self.ticket, "ticket key", "--ticket-key-file")?;
        let other_tickets = seeds(&self.other_tickets, "ticket key", OTHER_TICKETS)?;
        let public = |seed: &[u8; 32]| KeyPair::from_seed(seed).public_key();
        let others = other_tickets.iter().map(public);
        let hint = missing("--fleet-secret-file");
        let fleet_secret = private_text(&self.fleet_secret, "fleet secret", &hint)?;
        let fleet_secret = fleet_secret.trim().to_owned();
        Ok(Keys {
            access: AccessKeys::with_others(&access, &other_access).context(OTHER_ACCESS)?,
            ticket_seed,
            ticket_public: PublicKeys::new(public(&ticket_seed), others).context(OTHER_TICKETS)?,
            fleet_secret,
        })
    }
}

fn seed(file: &Path, what: &str, flag: &str) -> anyhow::Result<[u8; 32]> {
    let name = file.display();
    key_from_hex(&private_text(file, what, &missing(flag))?)
        .map_err(|error| anyhow!("the {what} in {name} is no key: {error}"))
}

fn seeds(files: &[PathBuf], what: &str, flag: &str) -> anyhow::Result<Vec<[u8; 32]>> {
    files.iter().map(|file| seed(file, what, flag)).collect()
}

fn missing(flag: &str) -> String {
    format!("give {flag}, or --dev to have keys made")
}

/// The content of a file that not everybody may read.
///
/// # Errors
/// It cannot be read (`hint` says what to do), or is open to all.
pub(crate) fn private_text(file: &Path, what: &str, hint: &str) -> anyhow::Result<String> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the {what} in {name}; {hint}"))?;
    let mode = fs::metadata(file)?.permissions().mode();
    if mode & 0o007 != 0 {
        bail!("everybody may read the {what} in {name}; set its mode to 600");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let files = KeyFiles::in_dir(&dir.path().join("data"));
        let missing = files.read().err().unwrap().to_string();
        assert!(missing.contains("--access-key-file") && missing.contains("--dev"), "{missing}");
        files.make_missing().unwrap();
        let first = files.read().unwrap();
        files.make_missing().unwrap();
        let second = files.read().unwrap();
        assert_eq!(first.ticket_seed, second.ticket_seed);
        assert_ne!(first.fleet_secret, HEXLOWER.encode(&first.ticket_seed), "three different ones");
        for file in [&files.access, &files.ticket, &files.fleet_secret] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::set_permissions(&files.ticket, fs::Permissions::from_mode(0o644)).unwrap();
        let open = files.read().err().unwrap().to_string();
        assert!(open.contains("everybody"), "{open}");
    }
}
