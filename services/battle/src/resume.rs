//! Beginning a battle, or taking one up where it was left.
//!
//! A journal that has no end belongs to a battle whose server died: its newest checkpoint is
//! restored and the ticks behind it are stepped again, comparing every hash, before anybody is
//! let in.

use std::fs::OpenOptions;

use anyhow::{Context, bail};
use sortie_keys::random_bytes;
use sortie_sim::id::Tick;
use sortie_sim::{Battle, SIMULATION};

use crate::config::BattleServerConfig;
use crate::journal::{
    Found, Journal, JournalError, JournalHeader, JournalReader, JournalRoster, Tail, Walk,
};
use crate::store::Store;
use crate::ticket_clock::TicketClock;

/// A battle ready to be stepped, and the journal that goes on with it.
pub struct OpenedBattle {
    /// The battle.
    pub battle: Battle,
    /// Its journal.
    pub journal: Journal,
    /// What the battle is.
    pub header: JournalHeader,
    /// Its players beyond the simulation.
    pub roster: JournalRoster,
    /// Whether it was taken up.
    pub resumed: bool,
}

/// Takes up the battle in `store`, or begins the one that `config` describes.
///
/// # Errors
/// The disk fails, or the journal cannot be trusted; the message says what to do.
pub fn open_battle(store: &Store, config: &BattleServerConfig) -> anyhow::Result<OpenedBattle> {
    let path = store.journal_path();
    if path.exists() {
        let what_to_do = || {
            format!("cannot take up the battle; move {} away to begin a new one", path.display())
        };
        let reader = JournalReader::open(&path).with_context(what_to_do)?;
        if reader.end.is_none() {
            return take_up(store, config, reader).with_context(what_to_do);
        }
        // The server died between the end and the renaming.
        store.keep_replay(reader.header.battle_id)?;
    }
    begin(store, config)
}

fn begin(store: &Store, config: &BattleServerConfig) -> anyhow::Result<OpenedBattle> {
    let seed = match config.seed {
        Some(seed) => seed,
        None => u64::from_le_bytes(random_bytes()),
    };
    let battle_id = match config.battle_id {
        Some(battle_id) => battle_id,
        None => u128::from_le_bytes(random_bytes()),
    };
    let mut rules = config.rules.clone();
    if let Some(duration) = config.duration {
        // A rule of the battle, so that its end has a winner, and the same one in the replay.
        let tick_s = 1.0 / f32::from(rules.tick_hz);
        rules.objective.battle_s = duration.as_secs_f32().max(tick_s);
        rules.validate().context("the battle's duration")?;
    }
    let header = JournalHeader {
        battle_id,
        // For people: nothing is decided by it.
        created_ms: TicketClock::by_wall().now_ms(),
        seed,
        simulation: SIMULATION.to_owned(),
        rules: rules.to_toml(),
        map: config.map.document(),
    };
    let battle = header.battle(config.threads)?;
    let path = store.journal_path();
    let journal = store
        .create_whole(&path, |file| Journal::create(file, &header, config.journal.clone()))
        .with_context(|| format!("cannot begin the journal {}", path.display()))?;
    Ok(OpenedBattle { battle, journal, header, roster: JournalRoster::default(), resumed: false })
}

fn take_up(
    store: &Store,
    config: &BattleServerConfig,
    mut reader: JournalReader,
) -> anyhow::Result<OpenedBattle> {
    let recovered = recover(&mut reader, config.threads)?;
    let Recovered { battle, roster, tail } = recovered;
    if battle.config() != &config.rules || battle.field().map().hash() != config.map.hash() {
        tracing::warn!("the battle that is taken up keeps its own rules and map");
    }
    tracing::info!(
        tick = battle.tick().0,
        torn_bytes = reader.torn_bytes,
        "the battle is taken up from its journal"
    );
    let file = OpenOptions::new().read(true).write(true).open(store.journal_path())?;
    let journal = Journal::resume(file, tail, config.journal.clone())
        .context("cannot go on with the journal")?;
    Ok(OpenedBattle { battle, journal, header: reader.header, roster, resumed: true })
}

/// A battle as its journal leaves it.
pub struct Recovered {
    /// The battle after the journal's last tick.
    pub battle: Battle,
    /// Its players beyond the simulation.
    pub roster: JournalRoster,
    /// Where writing goes on.
    pub tail: Tail,
}

/// Restores the newest checkpoint that can be restored and steps to the end of the journal.
///
/// # Errors
/// The journal is of another version, is damaged, or does not replay.
pub fn recover(reader: &mut JournalReader, threads: usize) -> anyhow::Result<Recovered> {
    // An older checkpoint would be of the same version.
    reader.header.check_simulation()?;
    let mut before = reader.last_tick();
    loop {
        let checkpoint = reader.checkpoint_before(before);
        match restore(reader, checkpoint, threads) {
            Ok((battle, roster, walk)) => return replay_rest(reader, battle, roster, walk),
            Err(error) => match checkpoint {
                // An older one leads to the same place, only later.
                Some(index) if reader.blocks[index].head.last > 0 => {
                    before = reader.blocks[index].head.last - 1;
                    tracing::warn!(%error, "a checkpoint cannot be used; trying an older one");
                }
                _ => return Err(error),
            },
        }
    }
}

/// The battle after a checkpoint, or before its first tick.
pub(crate) fn restore(
    reader: &mut JournalReader,
    checkpoint: Option<usize>,
    threads: usize,
) -> anyhow::Result<(Battle, JournalRoster, Walk)> {
    let setup = reader.header.setup(threads)?;
    let (checkpoint, walk) = reader.start(checkpoint)?;
    let Some(checkpoint) = checkpoint else {
        return Ok((Battle::new(setup), JournalRoster::default(), walk));
    };
    let battle = Battle::restore(setup, &checkpoint.battle)?;
    Ok((battle, checkpoint.roster, walk))
}

fn replay_rest(
    reader: &mut JournalReader,
    mut battle: Battle,
    mut roster: JournalRoster,
    mut walk: Walk,
) -> anyhow::Result<Recovered> {
    while let Some(found) = reader.next(&mut walk)? {
        let Found::Ticks(ticks) = found else { continue };
        for record in ticks {
            if record.tick != Tick(battle.tick().0 + 1) {
                return Err(JournalError::NoCheckpoint.into());
            }
            let output = battle.step(&record.commands);
            roster.note_tick(output);
            record.admitted.iter().for_each(|admitted| roster.admit(admitted));
            if battle.state_hash() as u32 != record.hash {
                bail!("tick {} does not replay to the state that was recorded", record.tick.0);
            }
        }
    }
    Ok(Recovered { battle, roster, tail: reader.tail(walk) })
}
