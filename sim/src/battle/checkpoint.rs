//! Checkpoints: the whole state as bytes.
//!
//! Layout, little-endian: magic `SORTIE-C`, version u16, hash of the rules u64, hash of the map
//! u64, seed u64, length of the state u32, hash of the state's bytes u64, the state. Bytes of
//! another version, map, seed or set of rules are refused with the reason; so is every change of
//! a byte.

use super::{Battle, BattleSetup};
use crate::codec::{Corrupt, Saved, Sink, Source};
use crate::combat::History;
use crate::hash::Mixer;
use crate::schedule::Phase;
use crate::state::load_world;

const MAGIC: u64 = u64::from_le_bytes(*b"SORTIE-C");

/// Changes whenever the listing of state does.
const VERSION: u16 = 2;

/// Bytes before the state.
const HEADER_BYTES: usize = 8 + 2 + 8 + 8 + 8 + 4 + 8;

/// Why bytes cannot be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The bytes do not begin as a checkpoint does.
    #[error("this is no checkpoint")]
    NoCheckpoint,
    /// Written by another version of the simulation.
    #[error("the checkpoint has version {found}, this server knows version {known}")]
    Version {
        /// In the checkpoint.
        found: u16,
        /// Of this code.
        known: u16,
    },
    /// Taken under other rules.
    #[error("the checkpoint was taken under other rules")]
    Rules,
    /// Taken on another map.
    #[error("the checkpoint was taken on another map")]
    Map,
    /// Taken from a battle with another seed.
    #[error("the checkpoint was taken from a battle with another seed")]
    Seed,
    /// Damaged: shortened, lengthened or changed.
    #[error("the checkpoint is damaged")]
    Damaged,
    /// Undamaged, and yet no state: a fault of the writer.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl Battle {
    /// Appends the whole state to `out`. Equal states give equal bytes.
    pub fn checkpoint(&self, out: &mut Vec<u8>) {
        let header = out.len();
        out.resize(header + HEADER_BYTES, 0);
        let start = out.len();
        self.reader.save_world(&self.world, out);
        // Follows from the states before: in the checkpoint, not in the hash.
        self.world.resource::<History>().save(out);
        let state = &out[start..];
        let (length, hash) = (state.len() as u64, Mixer::of_bytes(state));
        let mut fields = Vec::with_capacity(HEADER_BYTES);
        fields.put(MAGIC, 8);
        fields.put(u64::from(VERSION), 2);
        fields.put(self.config().hash(), 8);
        fields.put(self.field().map().hash(), 8);
        fields.put(self.seed(), 8);
        fields.put(length, 4);
        fields.put(hash, 8);
        out[header..start].copy_from_slice(&fields);
    }

    /// The battle that a checkpoint was taken of. `bytes` are exactly what
    /// [`checkpoint`](Self::checkpoint) appended; threads may differ from the original's.
    ///
    /// # Errors
    /// Why these bytes are not a checkpoint of a battle with this setup.
    ///
    /// # Panics
    /// As [`Battle::new`]. Never because of the bytes.
    pub fn restore(setup: BattleSetup, bytes: &[u8]) -> Result<Self, RestoreError> {
        let state = open(&setup, bytes)?;
        let mut battle = Self::new(setup);
        load_world(&mut battle.world, &mut Source::new(state))?;
        battle.reader.follow(&battle.world);
        // The view is no state: it is filled from what was loaded.
        battle.timetable.schedule_mut(Phase::View).run(&mut battle.world);
        battle.output.tick = battle.tick();
        Ok(battle)
    }
}

/// The bytes of the state behind a header that belongs to `setup`.
fn open<'a>(setup: &BattleSetup, bytes: &'a [u8]) -> Result<&'a [u8], RestoreError> {
    let mut header = Source::new(bytes);
    let mut field = |bytes| header.take(bytes).map_err(|_| RestoreError::NoCheckpoint);
    if field(8)? != MAGIC {
        return Err(RestoreError::NoCheckpoint);
    }
    let found = field(2)? as u16;
    if found != VERSION {
        return Err(RestoreError::Version { found, known: VERSION });
    }
    if field(8)? != setup.config.hash() {
        return Err(RestoreError::Rules);
    }
    if field(8)? != setup.field.map().hash() {
        return Err(RestoreError::Map);
    }
    if field(8)? != setup.seed {
        return Err(RestoreError::Seed);
    }
    let (length, hash) = (field(4)?, field(8)?);
    let state = &bytes[HEADER_BYTES..];
    if state.len() as u64 != length || Mixer::of_bytes(state) != hash {
        return Err(RestoreError::Damaged);
    }
    Ok(state)
}
