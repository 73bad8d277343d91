//! What the tests of the battle share: setups, seeded players, and the way to read a seed.

use std::sync::Arc;

use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::config::{Mode, SimConfig};
use sortie_sim::event::Event;
use sortie_sim::field::map::Map;
use sortie_sim::field::{Field, Obstacle, Pitch, Shape, Vec3, Yaw};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, PointId, Tick};
use sortie_sim::rng::{Dice, Rng, Stream};
use sortie_sim::view::{SoldierRow, Status, View};
use sortie_sim::{Battle, BattleSetup};

/// The seed of this run: `SIM_SEED` when set, else `default`. Printed, so that a failure shows it.
pub(crate) fn seed(default: u64) -> u64 {
    let seed = match std::env::var("SIM_SEED") {
        Ok(text) => text.parse().expect("SIM_SEED is a number"),
        Err(_) => default,
    };
    println!("SIM_SEED={seed}");
    seed
}

/// A battle of `mode` on a plain.
pub(crate) fn setup(mode: Mode, size_m: f32, seed: u64) -> BattleSetup {
    let config = SimConfig { mode, ..SimConfig::default() };
    let field = Arc::new(Field::new(Map::plain(size_m)));
    BattleSetup { config, field, seed, threads: 1 }
}

/// A battle of `mode` on a shipped map.
pub(crate) fn shipped(mode: Mode, map: &str, seed: u64) -> BattleSetup {
    let config = SimConfig { mode, ..SimConfig::default() };
    let field = Arc::new(Field::new(Map::shipped(map).expect("shipped")));
    BattleSetup { config, field, seed, threads: 1 }
}

/// A battle of `mode` in an arena: bases so near, and cover so thin, that everybody fights soon.
pub(crate) fn arena(mode: Mode, seed: u64) -> BattleSetup {
    let mut map = Map::plain(128.0);
    for index in 0..24u16 {
        let (x, z) = (40.0 + f32::from(index % 6) * 9.0, 20.0 + f32::from(index / 6) * 28.0);
        let half = Vec3::new(1.5, if index % 3 == 0 { 0.6 } else { 1.2 }, 0.5);
        let yaw = Yaw(index.wrapping_mul(4_000));
        map.obstacles.push(Obstacle::new(Vec3::new(x, half.y, z), half, yaw, Shape::Box));
    }
    let config = SimConfig { mode, ..SimConfig::default() };
    BattleSetup { config, field: Arc::new(Field::new(map)), seed, threads: 1 }
}

/// Players who join, come back whenever they may, hunt the nearest enemy, and now and then press
/// whatever chance gives them.
pub(crate) struct Players {
    count: u16,
    rng: Rng,
    inputs: Vec<Input>,
    leave: bool,
}

impl Players {
    /// `count` players whose doings follow from `seed` and from what they see.
    pub(crate) fn new(count: u16, seed: u64) -> Self {
        let inputs = vec![Input::default(); count.into()];
        Self { count, rng: Rng::new(!seed), inputs, leave: false }
    }

    /// The same; one of them leaves for good now and then.
    pub(crate) fn who_leave(count: u16, seed: u64) -> Self {
        Self { leave: true, ..Self::new(count, seed) }
    }

    /// The commands of the tick after `battle`'s.
    pub(crate) fn commands(&mut self, battle: &Battle) -> Vec<Command> {
        let tick = Tick(battle.tick().0 + 1);
        let mut commands = Vec::new();
        for slot in (0..self.count).map(PlayerSlot) {
            let mut push = |action| commands.push(Command { player: slot, action });
            let class = Class::ALL[usize::from(slot.0) % 4];
            if tick.0 == 1 {
                push(Action::Join { key: PlayerKey(slot.0.into()), team: None, class });
                push(Action::Spawn { at: SpawnAt::Base, class });
            }
            let mut dice = self.rng.dice(tick, slot, Stream::Spread);
            if dice.below(40) == 0 {
                push(asked(&mut dice));
            }
            if self.leave && dice.below(1_500) == 0 {
                push(Action::Leave);
            }
            let input = &mut self.inputs[usize::from(slot.0)];
            match battle.view().soldiers.get(usize::from(slot.0)) {
                Some(me) if slot.0 % 8 > 0 && dice.below(30) > 0 => {
                    hunt(input, me, battle.view(), tick, &mut dice);
                }
                _ => wander(input, tick, &mut dice),
            }
            push(Action::Input(*input));
        }
        commands
    }
}

/// Runs at the nearest enemy, stops at 25 m and fires, with a hand that shakes.
fn hunt(input: &mut Input, me: &SoldierRow, view: &View, tick: Tick, dice: &mut Dice) {
    let enemies = view
        .soldiers
        .iter()
        .filter(|row| row.team != me.team && matches!(row.status, Status::Alive | Status::Down));
    let distance = |row: &&SoldierRow| (row.body.pos - me.body.pos).length_squared().to_bits();
    let Some(enemy) = enemies.min_by_key(distance) else { return wander(input, tick, dice) };
    let way = enemy.body.pos - me.body.pos;
    let (shake, far_m) = (dice.below(400) as u16, libm::sqrtf(way.x * way.x + way.z * way.z));
    *input = Input {
        move_forward: if far_m > 25.0 { 127 } else { 0 },
        move_right: if dice.below(2) == 0 { 40 } else { -40 },
        yaw: Yaw(Yaw::towards(way.x, way.z).0.wrapping_add(shake).wrapping_sub(200)),
        pitch: Pitch::from_radians(libm::atan2f(way.y - 0.4, far_m)),
        buttons: if far_m < 60.0 { Buttons::FIRE } else { Buttons::SPRINT },
        weapon_slot: (tick.0 / 200 % 3) as u8,
        view_tick: Tick(tick.0.saturating_sub(1 + dice.below(14))),
    };
    // Semi-automatic weapons, grenades and gadgets need their buttons to be let go.
    match dice.below(8) {
        0 => input.buttons = Buttons::AIM,
        1 => input.buttons = Buttons::THROW,
        2 => input.buttons = Buttons::USE,
        3 => input.buttons = Buttons::MELEE.with(Buttons::CROUCH),
        _ => {}
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
pub(crate) fn run(
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

/// The hash of every tick of a battle, and how much was fought in it.
pub(crate) fn hashes(setup: BattleSetup, count: u16, ticks: u32) -> (Vec<u64>, Fought) {
    let players = Players::new(count, setup.seed);
    hashes_of(setup, players, ticks)
}

/// The same with any players.
pub(crate) fn hashes_of(
    setup: BattleSetup,
    mut players: Players,
    ticks: u32,
) -> (Vec<u64>, Fought) {
    let mut battle = Battle::new(setup);
    let (mut hashes, mut fought) = (Vec::new(), Fought::default());
    run(&mut battle, &mut players, ticks, |battle| {
        hashes.push(battle.state_hash());
        fought.count(&battle.output().events);
    });
    (hashes, fought)
}

/// How much was fought: a test of a battle in which nothing happens proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fought {
    pub shots: u32,
    pub blasts: u32,
    pub hits: u32,
    pub downed: u32,
    pub died: u32,
    pub revived: u32,
}

impl Fought {
    /// Adds a tick.
    pub(crate) fn count(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Shot { .. } => self.shots += 1,
                Event::Exploded { .. } => self.blasts += 1,
                Event::Hit { .. } => self.hits += 1,
                Event::Downed { .. } => self.downed += 1,
                Event::Died { .. } => self.died += 1,
                Event::Revived { .. } => self.revived += 1,
                _ => {}
            }
        }
    }

    /// Whether everything happened that tests of the whole battle count on.
    pub(crate) fn enough(&self) -> bool {
        println!("{self:?}");
        let Self { shots, blasts, hits, downed, died, revived: _ } = *self;
        shots > 500 && hits > 100 && [blasts, downed, died].iter().all(|&count| count > 10)
    }
}
