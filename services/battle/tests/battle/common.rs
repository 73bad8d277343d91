//! A small battle and players who do as a seed says.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use sortie_battle::journal::{
    Admitted, Checkpoint, End, Journal, JournalHeader, JournalOptions, JournalRoster,
};
use sortie_field::{Field, Map, Pitch, Yaw};
use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::config::SimConfig;
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, Tick};
use sortie_sim::{Battle, BattleSetup, SIMULATION};

/// The seed of a random test: the environment's, or the one given.
pub(crate) fn seed(default: u64) -> u64 {
    let seed = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(default);
    println!("SIM_SEED={seed}");
    seed
}

/// Small numbers without pattern (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `end` - 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// What the tests' battles are made of.
pub(crate) fn header(seed: u64) -> JournalHeader {
    let rules = SimConfig { players_max: 64, ..SimConfig::default() };
    JournalHeader {
        battle_id: u128::from(seed) << 64 | 7,
        created_ms: 1_700_000_000_000,
        seed,
        simulation: SIMULATION.to_owned(),
        rules: rules.to_toml(),
        map: Map::plain(96.0).document(),
    }
}

/// The setup of [`header`].
pub(crate) fn setup(header: &JournalHeader, threads: usize) -> BattleSetup {
    let field = Arc::new(Field::new(Map::parse(&header.map).unwrap()));
    let config = SimConfig::parse(&header.rules).unwrap();
    BattleSetup { config, field, seed: header.seed, threads }
}

/// Players whose every deed follows from a seed and the tick.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    dice: Dice,
    players: u16,
    inputs: Vec<Input>,
}

impl Script {
    pub(crate) fn new(seed: u64, players: u16) -> Self {
        Self { dice: Dice(seed), players, inputs: Vec::new() }
    }

    /// The commands of `tick`, by slot, and who came in by a ticket.
    pub(crate) fn tick(&mut self, tick: u32) -> (Vec<Command>, Vec<Admitted>) {
        let (mut commands, mut admitted) = (Vec::new(), Vec::new());
        if self.inputs.len() < usize::from(self.players) && (tick == 1 || self.dice.one_in(4)) {
            let slot = PlayerSlot(self.inputs.len() as u16);
            self.inputs.push(Input::default());
            admitted.push(Admitted {
                slot,
                key: PlayerKey(1_000 + u128::from(slot.0)),
                ticket_id: u128::from(self.dice.next()),
                name: format!("player {}", slot.0),
            });
        }
        for slot in 0..self.inputs.len() {
            let player = PlayerSlot(slot as u16);
            let mut push = |action| commands.push(Command { player, action });
            if admitted.iter().any(|admitted| admitted.slot == player) {
                let key = PlayerKey(1_000 + slot as u128);
                push(Action::Join { key, team: None, class: Class::Assault });
            }
            if self.dice.one_in(40) {
                push(Action::Spawn { at: SpawnAt::Base, class: Class::Medic });
            }
            if self.dice.one_in(300) {
                push(
                    [Action::JoinSquad, Action::Spot, Action::GiveUp][self.dice.below(3) as usize],
                );
            }
            // Now and then a player's machine is silent.
            if !self.dice.one_in(50) {
                push(Action::Input(self.input(slot, tick)));
            }
        }
        (commands, admitted)
    }

    fn input(&mut self, slot: usize, tick: u32) -> Input {
        let dice = &mut self.dice;
        let input = &mut self.inputs[slot];
        if dice.one_in(20) {
            input.move_forward = [127, 0, -127][dice.below(3) as usize];
            input.move_right = [127, 0, -60][dice.below(3) as usize];
        }
        if !dice.one_in(3) {
            input.yaw = Yaw(input.yaw.0.wrapping_add(dice.below(400) as u16).wrapping_sub(200));
            input.pitch = Pitch(input.pitch.0.wrapping_add(dice.below(60) as i16 - 30));
        }
        if dice.one_in(15) {
            input.buttons = Buttons(dice.below(1 << 9) as u16);
        }
        if dice.one_in(60) {
            input.weapon_slot = dice.below(3) as u8;
        }
        input.view_tick = Tick(tick.saturating_sub(6 + dice.below(20) as u32 / 19));
        *input
    }
}

/// An empty file to write a journal into.
pub(crate) fn new_file(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).unwrap()
}

/// A battle that runs on a script beside its journal.
pub(crate) struct Run {
    pub battle: Battle,
    pub script: Script,
    pub roster: JournalRoster,
    pub journal: Journal,
    /// The state hash after each tick; index = tick.
    pub hashes: Vec<u64>,
    pub checkpoint_every: u32,
}

impl Run {
    pub(crate) fn begin(path: &Path, seed: u64, players: u16, options: JournalOptions) -> Self {
        let header = header(seed);
        let journal = Journal::create(new_file(path), &header, options).unwrap();
        let battle = Battle::new(setup(&header, 1));
        let hashes = vec![battle.state_hash()];
        let script = Script::new(seed, players);
        Self {
            battle,
            script,
            roster: JournalRoster::default(),
            journal,
            hashes,
            checkpoint_every: 60,
        }
    }

    /// Steps until `last`.
    pub(crate) fn until(&mut self, last: u32) {
        while self.battle.tick().0 < last {
            let tick = Tick(self.battle.tick().0 + 1);
            let (commands, admitted) = self.script.tick(tick.0);
            let output = self.battle.step(&commands);
            self.roster.note_tick(output);
            admitted.iter().for_each(|admitted| self.roster.admit(admitted));
            let hash = self.battle.state_hash();
            self.hashes.push(hash);
            self.journal.push_tick(tick, hash as u32, &commands, &admitted);
            if tick.0.is_multiple_of(self.checkpoint_every) {
                let mut checkpoint = Checkpoint { battle: Vec::new(), roster: self.roster.clone() };
                self.battle.checkpoint(&mut checkpoint.battle);
                self.journal.push_checkpoint(tick, checkpoint);
            }
        }
    }

    /// Closes the journal; gives the hashes.
    pub(crate) fn close(self) -> Vec<u64> {
        let end = End { tick: self.battle.tick().0, hash: self.battle.state_hash() };
        assert!(self.journal.close(end), "the journal was given up");
        self.hashes
    }
}
