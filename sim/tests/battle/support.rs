//! What the tests of the battle share: setups, seeded players, and the way to read a seed.

use std::sync::Arc;

use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::config::{Mode, SimConfig};
use sortie_sim::field::map::Map;
use sortie_sim::field::{Field, Pitch, Yaw};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, PointId, Tick};
use sortie_sim::rng::{Dice, Rng, Stream};
use sortie_sim::{Battle, BattleSetup};

/// The seed of this run: `SIM_SEED` when set, else `default`. Printed, so that a failure shows it.
pub fn seed(default: u64) -> u64 {
    let seed = match std::env::var("SIM_SEED") {
        Ok(text) => text.parse().expect("SIM_SEED is a number"),
        Err(_) => default,
    };
    println!("SIM_SEED={seed}");
    seed
}

/// A battle of `mode` on a plain.
pub fn setup(mode: Mode, size_m: f32, seed: u64) -> BattleSetup {
    let config = SimConfig { mode, ..SimConfig::default() };
    let field = Arc::new(Field::new(Map::plain(size_m)));
    BattleSetup { config, field, seed, threads: 1 }
}

/// A battle of `mode` on a shipped map.
pub fn shipped(mode: Mode, map: &str, seed: u64) -> BattleSetup {
    let config = SimConfig { mode, ..SimConfig::default() };
    let field = Arc::new(Field::new(Map::shipped(map).expect("shipped")));
    BattleSetup { config, field, seed, threads: 1 }
}

/// Players who join, ask to spawn whenever they may, and press buttons by chance.
pub struct Players {
    count: u16,
    rng: Rng,
    inputs: Vec<Input>,
}

impl Players {
    /// `count` players whose doings follow from `seed`.
    pub fn new(count: u16, seed: u64) -> Self {
        Self { count, rng: Rng::new(!seed), inputs: vec![Input::default(); count.into()] }
    }

    /// The commands of the tick after `battle`'s.
    pub fn commands(&mut self, battle: &Battle) -> Vec<Command> {
        let tick = Tick(battle.tick().0 + 1);
        let mut commands = Vec::new();
        for slot in (0..self.count).map(PlayerSlot) {
            let mut push = |action| commands.push(Command { player: slot, action });
            if tick.0 == 1 {
                let class = Class::ALL[usize::from(slot.0) % 4];
                push(Action::Join { key: PlayerKey(slot.0.into()), team: None, class });
            }
            let mut dice = self.rng.dice(tick, slot, Stream::Spread);
            if tick.0 == 1 || dice.below(30) == 0 {
                push(asked(&mut dice));
            }
            let input = &mut self.inputs[usize::from(slot.0)];
            wander(input, tick, &mut dice);
            push(Action::Input(*input));
        }
        commands
    }
}

fn asked(dice: &mut Dice) -> Action {
    let class = Class::ALL[dice.below(4) as usize];
    match dice.below(10) {
        0 => Action::JoinSquad,
        1 => Action::LeaveSquad,
        2 => Action::Spot,
        3 => Action::SquadOrder(PointId(dice.below(6) as u8)),
        4 => Action::GiveUp,
        5 => Action::Spawn { at: SpawnAt::Squad, class },
        6 => Action::Spawn { at: SpawnAt::Point(PointId(dice.below(6) as u8)), class },
        _ => Action::Spawn { at: SpawnAt::Base, class },
    }
}

/// Turns a little, and now and then does something else entirely.
fn wander(input: &mut Input, tick: Tick, dice: &mut Dice) {
    input.yaw = Yaw(input.yaw.0.wrapping_add((dice.below(800) as u16).wrapping_sub(400)));
    input.view_tick = Tick(tick.0.saturating_sub(dice.below(20)));
    if dice.below(20) == 0 {
        input.buttons = Buttons(dice.next_u64() as u16);
        input.move_forward = if dice.below(4) > 0 { 127 } else { dice.next_u64() as i8 };
        input.move_right = dice.next_u64() as i8;
        input.pitch = Pitch(dice.next_u64() as i16 / 4);
        input.weapon_slot = dice.below(4) as u8;
    }
}

/// Steps `battle` with what `players` do; calls `each` after every tick.
pub fn run(
    battle: &mut Battle,
    players: &mut Players,
    ticks: u32,
    mut each: impl FnMut(&mut Battle),
) {
    for _ in 0..ticks {
        let commands = players.commands(battle);
        battle.step(&commands);
        each(battle);
    }
}

/// The hash of every tick.
pub fn hashes(setup: BattleSetup, count: u16, ticks: u32) -> Vec<u64> {
    let mut battle = Battle::new(setup.clone());
    let mut players = Players::new(count, setup.seed);
    let mut hashes = Vec::new();
    run(&mut battle, &mut players, ticks, |battle| hashes.push(battle.state_hash()));
    hashes
}
