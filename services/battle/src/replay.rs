//! Replays: what a closed journal, or one that was torn, can be asked.
//!
//! [`info`] reads, [`verify`] simulates the battle again and compares every hash and every
//! checkpoint, [`seek`] shows a tick.

use std::path::Path;

use serde::Serialize;
use sortie_sim::Battle;
use sortie_sim::config::Mode;
use sortie_sim::id::Tick;

use crate::journal::{Found, JournalError, JournalReader, JournalRoster, Kind};
use crate::resume::restore;

/// What a replay is.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayInfo {
    /// The battle, hexadecimal.
    pub battle_id: String,
    /// When it began, milliseconds since 1970.
    pub created_ms: u64,
    /// What its rounds are about: `conquest`, `deathmatch` or `walk`.
    pub mode: Mode,
    /// The map's name.
    pub map: String,
    /// Ticks a second.
    pub tick_hz: u16,
    /// The root of all chance.
    pub seed: u64,
    /// The simulation that stepped it.
    pub simulation: String,
    /// Its last tick.
    pub ticks: u32,
    /// Seconds of battle.
    pub seconds: f64,
    /// Whether the battle ended in order; a torn one holds what was saved.
    pub closed: bool,
    /// Bytes behind the last whole block, left by a crash.
    pub torn_bytes: u64,
    /// Bytes of the file that count.
    pub bytes: u64,
    /// Blocks of ticks.
    pub groups: usize,
    /// Checkpoints.
    pub checkpoints: usize,
    /// Players by slot; those who were erased have no name.
    pub players: Vec<String>,
    /// Their ids by slot, hexadecimal: what a name is blanked by.
    pub player_ids: Vec<String>,
}

/// What [`verify`] found to be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The battle, hexadecimal.
    pub battle_id: String,
    /// Ticks whose hash came out again.
    pub ticks: u32,
    /// Commands stepped.
    pub commands: u64,
    /// Checkpoints that came out again, byte for byte.
    pub checkpoints: u32,
    /// Whether the battle ended in order.
    pub closed: bool,
    /// Bytes behind the last whole block, left by a crash.
    pub torn_bytes: u64,
    /// The state hash after the last tick, hexadecimal.
    pub state_hash: String,
}

/// Why a replay is not what happened.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The first tick that comes out differently.
    #[error("tick {tick} differs: recorded {recorded:08x}, simulated {simulated:08x}")]
    Differs {
        /// The first tick whose hash differs.
        tick: u32,
        /// The hash in the replay.
        recorded: u32,
        /// The hash that came out.
        simulated: u32,
    },
    /// A checkpoint is not the state after its tick.
    #[error("the checkpoint of tick {tick} is not the state after that tick")]
    Checkpoint {
        /// The tick after which the checkpoint was taken.
        tick: u32,
    },
    /// The end is not the state after the last tick.
    #[error("the end at tick {tick} is not the state after that tick")]
    End {
        /// The last tick of the battle.
        tick: u32,
    },
    /// There is no such tick.
    #[error("there is no tick {asked}; the last one is {last}")]
    NoSuchTick {
        /// The tick asked for.
        asked: u32,
        /// The last one there is.
        last: u32,
    },
    /// A checkpoint cannot be restored.
    #[error("cannot restore the battle: {0}")]
    Restore(String),
}

/// Called with the tick reached and the last tick; about every hundred ticks.
pub type Progress<'a> = &'a mut dyn FnMut(u32, u32);

const PROGRESS_TICKS: u32 = 100;

/// Reads what a replay is.
///
/// # Errors
/// It is no replay, or damaged.
pub fn info(path: &Path) -> Result<ReplayInfo, ReplayError> {
    let reader = JournalReader::open(path)?;
    let setup = reader.header.setup(1)?;
    let count = |kind| reader.blocks.iter().filter(|block| block.head.kind == kind).count();
    let (groups, checkpoints) = (count(Kind::Ticks), count(Kind::Checkpoint));
    let ticks = reader.last_tick();
    let mut roster = JournalRoster::default();
    reader.names.iter().for_each(|named| roster.name_as(named));
    let header = &reader.header;
    Ok(ReplayInfo {
        battle_id: format!("{:032x}", header.battle_id),
        created_ms: header.created_ms,
        mode: setup.config.mode,
        map: setup.field.map().name.clone(),
        tick_hz: setup.config.tick_hz,
        seed: header.seed,
        simulation: header.simulation.clone(),
        ticks,
        seconds: f64::from(ticks) / f64::from(setup.config.tick_hz),
        closed: reader.end.is_some(),
        torn_bytes: reader.torn_bytes,
        bytes: reader.bytes,
        groups,
        checkpoints,
        player_ids: ids_of(&reader, roster.names.len()),
        players: roster.names,
    })
}

/// The ids of so many players by slot. A slot that had several players has the last one's, as its
/// name is.
fn ids_of(reader: &JournalReader, count: usize) -> Vec<String> {
    let mut ids = vec![String::new(); count];
    for named in &reader.names {
        if let Some(id) = ids.get_mut(usize::from(named.slot.0)) {
            *id = format!("{:032x}", named.key.0);
        }
    }
    ids
}

/// Simulates the battle again from its first tick, with so many threads.
///
/// # Errors
/// The first thing that is not as it was recorded.
pub fn verify(
    path: &Path,
    threads: usize,
    progress: Progress<'_>,
) -> Result<Verified, ReplayError> {
    walk(path, threads, progress, &mut |_| {})
}

/// Like [`verify`]; shows the battle to `visit` after every tick whose hash came out again.
///
/// # Errors
/// The first thing that is not as it was recorded.
pub fn verify_each(
    path: &Path,
    threads: usize,
    visit: &mut dyn FnMut(&Battle),
) -> Result<Verified, ReplayError> {
    walk(path, threads, &mut |_, _| {}, visit)
}

fn walk(
    path: &Path,
    threads: usize,
    progress: Progress<'_>,
    visit: &mut dyn FnMut(&Battle),
) -> Result<Verified, ReplayError> {
    let mut reader = JournalReader::open(path)?;
    let mut battle = reader.header.battle(threads)?;
    let last = reader.last_tick();
    let (_, mut walk) = reader.start(None)?;
    let mut roster = JournalRoster::default();
    let (mut commands, mut checkpoints, mut scratch) = (0, 0, Vec::new());
    while let Some(found) = reader.next(&mut walk)? {
        match found {
            Found::Ticks(ticks) => {
                for record in ticks {
                    commands += record.commands.len() as u64;
                    roster.note_tick(battle.step(&record.commands));
                    compare(&battle, record.tick, record.hash)?;
                    visit(&battle);
                    record.admitted.iter().for_each(|admitted| roster.admit(admitted));
                    if record.tick.0 % PROGRESS_TICKS == 0 {
                        progress(record.tick.0, last);
                    }
                }
            }
            Found::Checkpoint(tick, checkpoint) => {
                scratch.clear();
                battle.checkpoint(&mut scratch);
                // Names stand apart, and may have been blanked since.
                let names = roster.names.clone();
                let known = JournalRoster { names, ..checkpoint.roster };
                if scratch != checkpoint.battle || known != roster {
                    return Err(ReplayError::Checkpoint { tick });
                }
                checkpoints += 1;
            }
            Found::End(end) => {
                if end.hash != battle.state_hash() {
                    return Err(ReplayError::End { tick: end.tick });
                }
            }
        }
    }
    progress(last, last);
    Ok(Verified {
        battle_id: format!("{:032x}", reader.header.battle_id),
        ticks: last,
        commands,
        checkpoints,
        closed: reader.end.is_some(),
        torn_bytes: reader.torn_bytes,
        state_hash: format!("{:016x}", battle.state_hash()),
    })
}

/// Runs the battle again and shows it to `visit` after every tick, without comparing hashes.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn for_each_tick(
    path: &Path,
    threads: usize,
    visit: &mut dyn FnMut(&Battle),
) -> Result<(), ReplayError> {
    let mut reader = JournalReader::open(path)?;
    let mut battle = reader.header.battle(threads)?;
    let (_, mut walk) = reader.start(None)?;
    while let Some(found) = reader.next(&mut walk)? {
        let Found::Ticks(ticks) = found else { continue };
        for record in ticks {
            battle.step(&record.commands);
            visit(&battle);
        }
    }
    Ok(())
}

/// The battle as it stood after `tick`; 0 is before the first.
///
/// # Errors
/// The replay ends before, or is damaged.
pub fn seek(path: &Path, tick: u32, threads: usize) -> Result<Battle, ReplayError> {
    let mut reader = JournalReader::open(path)?;
    let last = reader.last_tick();
    if tick > last {
        return Err(ReplayError::NoSuchTick { asked: tick, last });
    }
    let checkpoint = reader.checkpoint_before(tick);
    let (mut battle, _, mut walk) =
        restore(&mut reader, checkpoint, threads).map_err(of_restoring)?;
    while battle.tick().0 < tick
        && let Some(found) = reader.next(&mut walk)?
    {
        let Found::Ticks(ticks) = found else { continue };
        for record in ticks.iter().take_while(|record| record.tick.0 <= tick) {
            battle.step(&record.commands);
            compare(&battle, record.tick, record.hash)?;
        }
    }
    Ok(battle)
}

/// A journal that cannot be read is told from a checkpoint that cannot be restored.
fn of_restoring(error: anyhow::Error) -> ReplayError {
    match error.downcast::<JournalError>() {
        Ok(error) => ReplayError::Journal(error),
        Err(error) => ReplayError::Restore(error.to_string()),
    }
}

fn compare(battle: &Battle, tick: Tick, recorded: u32) -> Result<(), ReplayError> {
    let simulated = battle.state_hash() as u32;
    // A command that was changed may also change which tick is stepped.
    if simulated == recorded && battle.tick() == tick {
        Ok(())
    } else {
        Err(ReplayError::Differs { tick: tick.0, recorded, simulated })
    }
}
