//! The data directory: the journal, the replays, the keys.
//!
//! ```text
//! lock               held by the server that uses the directory
//! battle.journal     the battle that runs, or was running when the server died
//! replays/ID.sortie  closed journals
//! incarnation        how often a server was started here
//! battles/ID/        with a control plane: a battle's order, and its journal while it runs
//! spool/             with a control plane: results that wait to be reported
//! fleet-identity     with a control plane: proves that the server's name is its own
//! resume-key, dev-ticket-key   32 bytes each; with these and quic-*, readable by the owner only
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use sortie_keys::random_bytes;

/// A data directory that is ours.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    /// Where the journal is; the same folder without a control plane.
    journal_dir: PathBuf,
    /// Unlocked by the kernel when the process ends, however it ends.
    _lock: Arc<File>,
}

impl Store {
    /// Opens a data directory, making it if need be.
    ///
    /// # Errors
    /// It cannot be written, or another server uses it.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let name = dir.display();
        fs::create_dir_all(dir.join("replays"))
            .with_context(|| format!("cannot make the data directory {name}"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("lock"))
            .with_context(|| format!("cannot write to the data directory {name}"))?;
        match lock.try_lock() {
            Ok(()) => {
                let dir = dir.to_owned();
                Ok(Self { journal_dir: dir.clone(), dir, _lock: Arc::new(lock) })
            }
            Err(TryLockError::WouldBlock) => {
                bail!("another server uses {name}; stop it or choose another --data-dir")
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock the data directory {name}"))
            }
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The same directory, with the journal in a folder of one battle.
    pub fn with_journal_in(&self, journal_dir: PathBuf) -> Self {
        Self { journal_dir, ..self.clone() }
    }

    /// The journal of the battle that runs.
    pub fn journal_path(&self) -> PathBuf {
        self.journal_dir.join("battle.journal")
    }

    /// The folder of all replays.
    pub fn replays_dir(&self) -> PathBuf {
        self.dir.join("replays")
    }

    /// Where a battle's replay is, or will be.
    pub fn replay_path(&self, battle_id: u128) -> PathBuf {
        self.replays_dir().join(format!("{battle_id:032x}.sortie"))
    }

    /// Makes the closed journal the battle's replay.
    pub fn keep_replay(&self, battle_id: u128) -> io::Result<PathBuf> {
        let replay = self.replay_path(battle_id);
        fs::rename(self.journal_path(), &replay)?;
        sync_dir(&self.journal_dir)?;
        sync_dir(&self.replays_dir())?;
        Ok(replay)
    }

    /// Makes a file under a temporary name, lets `fill` write it, and gives it its name when it
    /// is whole and on the disk.
    pub fn create_whole<T>(
        &self,
        path: &Path,
        fill: impl FnOnce(File) -> io::Result<T>,
    ) -> io::Result<T> {
        let temporary = path.with_extension("new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        let filled = fill(file)?;
        fs::rename(&temporary, path)?;
        sync_dir(path.parent().unwrap_or(&self.dir))?;
        Ok(filled)
    }

    /// A key of 32 random bytes, made at the first call and kept.
    ///
    /// # Errors
    /// The file is damaged, unreadable, or cannot be written.
    pub fn key(&self, name: &str) -> anyhow::Result<[u8; 32]> {
        let path = self.dir.join(name);
        match fs::read(&path) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
                Ok(key) => Ok(key),
                Err(_) => bail!("{} is damaged: it must hold 32 bytes", path.display()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = random_bytes();
                self.write_whole(&path, &key)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                Ok(key)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Counts this start; the first is 1.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn next_incarnation(&self) -> anyhow::Result<u64> {
        let path = self.dir.join("incarnation");
        let before = match fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .with_context(|| format!("{} is damaged: it must hold a number", path.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0u64,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let now = before.saturating_add(1);
        self.write_whole(&path, format!("{now}\n").as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(now)
    }

    /// Writes a small file so that it is there whole or not at all, also after a crash.
    ///
    /// # Errors
    /// Of the disk.
    pub fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.create_whole(path, |mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
    }
}

/// Makes durable which names a folder holds.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_and_starts_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        let key = first.key("resume-key").unwrap();
        assert_eq!(first.next_incarnation().unwrap(), 1);
        drop(first);
        let second = Store::open(dir.path()).unwrap();
        assert_eq!(second.key("resume-key").unwrap(), key);
        assert_ne!(second.key("other-key").unwrap(), key);
        assert_eq!(second.next_incarnation().unwrap(), 2);
        let mode = fs::metadata(dir.path().join("resume-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn two_servers_do_not_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("another server"), "{error}");
        drop(first);
        Store::open(dir.path()).unwrap();
    }
}
