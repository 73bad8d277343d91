//! The folders of battles: `battles/ID` below the data directory, from the order to the result.
//!
//! ```text
//! battles/ID/order.json       what was ordered, and why it ended once that is decided
//! battles/ID/battle.journal   until it becomes replays/ID.sortie
//! ```

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context;
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
