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
    use sortie_control::access::AccessError;
    use sortie_control::internal::{FleetDoor, SharedSecret};
    use sortie_wire::ticket::{Ticket, TicketError, TicketSigner, TicketVerifier};
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::control_plane::services::Settings;

    /// docs/operations.md, "Rotate a key", step by step with its files.
    #[test]
    fn keys_are_exchanged_while_what_they_signed_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| {
            let files = KeyFiles::in_dir(&dir.path().join(name));
            files.make_missing().unwrap();
            files
        });
        let secret = &old.fleet_secret;
        let step = |signs: &KeyFiles, others: &[&KeyFiles]| {
            let files = KeyFiles {
                fleet_secret: secret.clone(),
                other_access: others.iter().map(|files| files.access.clone()).collect(),
                other_tickets: others.iter().map(|files| files.ticket.clone()).collect(),
                ..signs.clone()
            };
            files.read().unwrap()
        };
        let before = step(&old, &[]);
        let (token, ticket) = (token(&before), ticket(&before));
        for (keys, is_good) in
            [(step(&old, &[&new]), true), (step(&new, &[&old]), true), (step(&new, &[]), false)]
        {
            let unknown = (!is_good).then_some((AccessError::UnknownKey, TicketError::UnknownKey));
            assert_eq!(refused(&keys, &token, &ticket), unknown);
            assert_eq!(refused(&keys, &self::token(&keys), &self::ticket(&keys)), None);
        }
        let same = KeyFiles { other_access: vec![new.access.clone(); 4], ..old.clone() };
        assert!(same.read().is_ok(), "it is one key");
        let more = ["a", "b", "c", "d"].map(|name| {
            let files = KeyFiles::in_dir(&dir.path().join(name));
            files.make_missing().unwrap();
            files.access
        });
        let many = KeyFiles { other_access: more.to_vec(), ..old.clone() };
        let many = format!("{:#}", many.read().err().unwrap());
        assert!(many.contains("--access-verification-key-file: 5 keys"), "{many}");
    }

    #[test]
    fn what_is_made_of_keys_does_not_print_them() {
        let dir = tempfile::tempdir().unwrap();
        let files = KeyFiles::in_dir(dir.path());
        files.make_missing().unwrap();
        let keys = files.read().unwrap();
        let Settings { account, matchmaking, fleet, .. } = Settings::new(&keys, dir.path());
        let secret = SharedSecret::new(&keys.fleet_secret).unwrap();
        let door = FleetDoor::new(secret, keys.access.clone());
        let shown = format!("{account:?} {matchmaking:?} {fleet:?} {door:?} {:?}", keys.access);
        for file in [&files.access, &files.ticket, &files.fleet_secret] {
            let text = fs::read_to_string(file).unwrap();
            let bytes = HEXLOWER.decode(text.trim().as_bytes()).unwrap();
            let list = format!("{bytes:?}");
            assert!(!shown.contains(text.trim()) && !shown.contains(list.trim_matches(['[', ']'])));
        }
    }

    fn token(keys: &Keys) -> String {
        keys.access.issue(Uuid::nil(), Uuid::nil(), false, OffsetDateTime::UNIX_EPOCH)
    }

    fn ticket(keys: &Keys) -> Vec<u8> {
        let ticket = Ticket {
            ticket_id: 1,
            player_key: 2,
            battle_id: 3,
            team: None,
            class: 0,
            expires_at_ms: 0,
            name: "Ada".to_owned(),
            audience: String::new(),
        };
        TicketSigner::from_seed(keys.ticket_seed).sign(&ticket).unwrap()
    }

    /// Why nodes and battle servers with these keys refuse both.
    fn refused(keys: &Keys, token: &str, ticket: &[u8]) -> Option<(AccessError, TicketError)> {
        let verifier = TicketVerifier::new(keys.ticket_public.clone(), 3, "");
        let by_server = verifier.verify(ticket, 0).err();
        keys.access.verify(token, OffsetDateTime::UNIX_EPOCH).err().zip(by_server)
    }

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
