//! The folders of battles: `battles/ID` below the data directory, from the order to the result.
//!
//! ```text
//! battles/ID/order.json       what was ordered, and why it ended once that is decided
//! battles/ID/battle.journal   until it becomes replays/ID.sortie
//! ticket-keys.json            whose join tickets are good, as the control plane told last
//! ```
//!
//! Which keys count is a matter of the server and not of a battle: a battle that is taken up after
//! a crash lets nobody in by a key that was taken away meanwhile.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context;
use sortie_keys::PublicKeys;
use sortie_rpc::ranking::EndedBy;
use sortie_sim::id::PlayerKey;

use super::order::BattleOrder;
use crate::journal;
use crate::store::{Store, sync_dir};

/// All folders of battles.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    store: Store,
    dir: PathBuf,
}

impl Folders {
    pub(super) fn open(store: &Store) -> io::Result<Self> {
        let dir = store.dir().join("battles");
        fs::create_dir_all(&dir)?;
        sync_dir(store.dir())?;
        Ok(Self { store: store.clone(), dir })
    }

    fn dir_of(&self, battle_id: u128) -> PathBuf {
        self.dir.join(format!("{battle_id:032x}"))
    }

    /// The data directory with the journal in this battle's folder.
    pub(super) fn store_of(&self, battle_id: u128) -> Store {
        self.store.with_journal_in(self.dir_of(battle_id))
    }

    /// Keeps the keys of join tickets over restarts; they are on the disk when this returns.
    pub(super) fn keep_ticket_keys(&self, keys: &PublicKeys) -> io::Result<()> {
        let keys: Vec<&[u8; 32]> = keys.iter().collect();
        let content = serde_json::to_vec(&keys).map_err(io::Error::other)?;
        self.store.write_whole(&self.ticket_keys_path(), &content)
    }

    /// The keys that were kept last; `None` before that.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub(super) fn ticket_keys(&self) -> anyhow::Result<Option<PublicKeys>> {
        let path = self.ticket_keys_path();
        if !path.exists() {
            return Ok(None);
        }
        let keys: Vec<[u8; 32]> = serde_json::from_slice(&fs::read(path)?)?;
        let (first, others) = keys.split_first().context("there are none")?;
        Ok(Some(PublicKeys::new(*first, others.iter().copied())?))
    }

    fn ticket_keys_path(&self) -> PathBuf {
        self.store.dir().join("ticket-keys.json")
    }

    /// Keeps an order; it is on the disk when this returns.
    pub(super) fn create(&self, order: &BattleOrder) -> io::Result<()> {
        let dir = self.dir_of(order.battle_id.as_u128());
        fs::create_dir_all(&dir)?;
        sync_dir(&self.dir)?;
        self.write(&dir, order)
    }

    fn write(&self, dir: &Path, order: &BattleOrder) -> io::Result<()> {
        let content = serde_json::to_vec_pretty(order).map_err(io::Error::other)?;
        self.store.write_whole(&dir.join("order.json"), &content)
    }

    /// Keeps why a battle ends.
    pub(super) fn note_end(&self, order: &BattleOrder, why: EndedBy) -> io::Result<()> {
        let ended = BattleOrder { ended_by: Some(why), ..order.clone() };
        self.write(&self.dir_of(order.battle_id.as_u128()), &ended)
    }

    /// The order of a battle.
    ///
    /// # Errors
    /// The file is missing, unreadable or none.
    pub(super) fn read(&self, battle_id: u128) -> anyhow::Result<BattleOrder> {
        let content = fs::read(self.dir_of(battle_id).join("order.json"))?;
        let order: BattleOrder = serde_json::from_slice(&content)?;
        anyhow::ensure!(order.battle_id.as_u128() == battle_id, "it is of another battle");
        Ok(order)
    }

    /// Battles with a folder; those that were begun first, older ids first.
    pub(super) fn list(&self) -> io::Result<Vec<u128>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let id = name.to_str().filter(|name| name.len() == 32);
            if let Some(id) = id.and_then(|name| u128::from_str_radix(name, 16).ok()) {
                found.push((!self.store_of(id).journal_path().exists(), id));
            }
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// Whether there is an order for this battle.
    pub(super) fn holds(&self, battle_id: u128) -> bool {
        self.dir_of(battle_id).join("order.json").exists()
    }

    /// The battle is dealt with.
    pub(super) fn remove(&self, battle_id: u128) -> io::Result<()> {
        match fs::remove_dir_all(self.dir_of(battle_id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_dir(&self.dir),
        }
    }

    /// Blanks the names of players in every journal and replay; says how many it wrote over. One
    /// that cannot be written keeps no other from being.
    ///
    /// # Errors
    /// The last of them.
    pub(super) fn blank(&self, players: &[PlayerKey]) -> anyhow::Result<usize> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(self.store.replays_dir())? {
            paths.push(entry?.path());
        }
        for entry in fs::read_dir(&self.dir)? {
            paths.push(entry?.path().join("battle.journal"));
        }
        let (mut blanked, mut failed) = (0, None);
        for path in paths {
            match journal::blank(&path, players) {
                Ok(names) => blanked += names,
                // A battle that has not begun, or has just ended and is a replay by now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => failed = Some((path, error)),
            }
        }
        match failed {
            Some((path, error)) => {
                Err(error).with_context(|| format!("cannot blank a name in {}", path.display()))
            }
            None => Ok(blanked),
        }
    }

    /// Keeps what cannot be used for people to look at.
    pub(super) fn set_aside(&self, battle_id: u128) -> io::Result<PathBuf> {
        let dir = self.dir_of(battle_id);
        let aside = dir.with_extension("damaged");
        if aside.exists() {
            fs::remove_dir_all(&aside)?;
        }
        fs::rename(&dir, &aside)?;
        sync_dir(&self.dir)?;
        Ok(aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_join_tickets_outlive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let folders = Folders::open(&store).unwrap();
        assert_eq!(folders.ticket_keys().unwrap(), None);
        for keys in [vec![[1; 32], [2; 32]], vec![[2; 32]]] {
            let keys = PublicKeys::new(keys[0], keys[1..].iter().copied()).unwrap();
            folders.keep_ticket_keys(&keys).unwrap();
            assert_eq!(Folders::open(&store).unwrap().ticket_keys().unwrap(), Some(keys));
        }
        for damaged in ["", "[]", "[[1]]", "{}"] {
            fs::write(dir.path().join("ticket-keys.json"), damaged).unwrap();
            assert!(folders.ticket_keys().is_err(), "{damaged}");
        }
    }
}
