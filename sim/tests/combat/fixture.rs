//! A fixture for a few soldiers: they come in, walk to their marks, look, and press buttons.
//!
//! Chance is taken out of weapons and waves are short, so that what a test sees is the rule it
//! is about.

use std::sync::Arc;

use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::config::{Mode, SimConfig};
use sortie_sim::event::Event;
use sortie_sim::field::map::Map;
use sortie_sim::field::{Field, Pitch, Vec3, Yaw};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, Team, Tick};
use sortie_sim::view::{SoldierRow, Status, View};
use sortie_sim::{Battle, BattleSetup};

/// A flat square of 160 m with a point in the north and a base west and east.
pub(crate) const GROUND: &str = r#"
name = "fixture"
size_m = 160.0

[[point]]
name = "A"
x = 80.0
z = 20.0
radius_m = 6.0

[[point]]
name = "B"
x = 80.0
z = 140.0
radius_m = 6.0

[[base]]
team = 0
x = 20.0
z = 80.0
radius_m = 4.0

[[base]]
team = 1
x = 140.0
z = 80.0
radius_m = 4.0
"#;

/// Ticks after which what should have happened will not happen any more.
const PATIENCE_TICKS: u32 = 3_000;

/// A battle with its players' inputs.
pub(crate) struct Fixture {
    /// The battle.
    pub battle: Battle,
    inputs: Vec<Input>,
    /// Ticks between what a player sees and the present; 1 is as honest as can be.
    lags: Vec<u32>,
    asked: Vec<Command>,
    /// All that happened, with its tick.
    pub log: Vec<(Tick, Event)>,
}

impl Fixture {
    /// The plain fixture under rules without chance.
    pub(crate) fn new() -> Self {
        Self::with("", |_| {})
    }

    /// The same with more on the `ground` and other rules.
    pub(crate) fn with(ground: &str, tune: impl FnOnce(&mut SimConfig)) -> Self {
        let mut config = steady_rules();
        tune(&mut config);
        let map = Map::parse(&format!("{GROUND}{ground}")).expect("the fixture is a map");
        let field = Arc::new(Field::new(map));
        Self::of(BattleSetup { config, field, seed: 7, threads: 1 })
    }

    /// Any battle.
    pub(crate) fn of(setup: BattleSetup) -> Self {
        let battle = Battle::new(setup);
        Self { battle, inputs: Vec::new(), lags: Vec::new(), asked: Vec::new(), log: Vec::new() }
    }

    /// A player joins and comes in at the base.
    pub(crate) fn enter(&mut self, team: Team, class: Class) -> PlayerSlot {
        let slot = self.join(Some(team), class);
        self.come_in(slot, SpawnAt::Base, class);
        slot
    }

    /// A player joins and stays out of the field.
    pub(crate) fn join(&mut self, team: Option<Team>, class: Class) -> PlayerSlot {
        let slot = PlayerSlot(self.inputs.len() as u16);
        self.inputs.push(Input::default());
        self.lags.push(1);
        self.ask(slot, Action::Join { key: PlayerKey(slot.0.into()), team, class });
        self.step();
        slot
    }

    /// Waits until `slot` is in the field.
    pub(crate) fn come_in(&mut self, slot: PlayerSlot, at: SpawnAt, class: Class) {
        self.ask(slot, Action::Spawn { at, class });
        self.until("the soldier is in", |fixture| fixture.row(slot).status == Status::Alive);
    }

    /// A command for the next tick.
    pub(crate) fn ask(&mut self, player: PlayerSlot, action: Action) {
        self.asked.push(Command { player, action });
    }

    /// One tick; gives what happened in it.
    pub(crate) fn step(&mut self) -> Vec<Event> {
        let tick = self.battle.tick().0 + 1;
        let mut commands = std::mem::take(&mut self.asked);
        for ((slot, input), lag) in (0..).map(PlayerSlot).zip(&self.inputs).zip(&self.lags) {
            let view_tick = Tick(tick.saturating_sub(*lag));
            let action = Action::Input(Input { view_tick, ..*input });
            commands.push(Command { player: slot, action });
        }
        // Stable: within a player the order stays.
        commands.sort_by_key(|command| command.player);
        let events = self.battle.step(&commands).events.clone();
        self.log.extend(events.iter().map(|&event| (Tick(tick), event)));
        events
    }

    /// Several ticks; gives what happened in them.
    pub(crate) fn steps(&mut self, ticks: u32) -> Vec<Event> {
        (0..ticks).flat_map(|_| self.step()).collect()
    }

    /// A time in steps.
    pub(crate) fn seconds(&mut self, seconds: f32) -> Vec<Event> {
        let hz = f32::from(self.battle.config().tick_hz);
        self.steps(libm::ceilf(seconds * hz) as u32)
    }

    /// Steps until `done`; gives the ticks it took.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> u32 {
        for ticks in 0..PATIENCE_TICKS {
            if done(self) {
                return ticks;
            }
            self.step();
        }
        panic!("waited in vain until {what}: {:#?}", self.log.last());
    }

    /// What a player wants from now on.
    pub(crate) fn input(&mut self, slot: PlayerSlot) -> &mut Input {
        &mut self.inputs[usize::from(slot.0)]
    }

    /// What a player sees lies so many ticks back from now on.
    pub(crate) fn set_lag(&mut self, slot: PlayerSlot, ticks: u32) {
        self.lags[usize::from(slot.0)] = ticks;
    }

    /// Holds these buttons and no others.
    pub(crate) fn hold(&mut self, slot: PlayerSlot, buttons: Buttons) {
        self.input(slot).buttons = buttons;
    }

    /// Holds buttons for one tick.
    pub(crate) fn press(&mut self, slot: PlayerSlot, buttons: Buttons) -> Vec<Event> {
        self.hold(slot, buttons);
        let events = self.step();
        self.hold(slot, Buttons::default());
        events
    }

    /// Looks from the eyes at a place.
    pub(crate) fn look_at(&mut self, slot: PlayerSlot, place: Vec3) {
        let body = self.row(slot).body;
        let rules = &self.battle.config().movement;
        let eyes = body.pos + Vec3::Y * (body.stance.height_m(rules) - 0.15);
        let way = place - eyes;
        let flat = libm::sqrtf(way.x * way.x + way.z * way.z);
        let input = self.input(slot);
        input.yaw = Yaw::towards(way.x, way.z);
        input.pitch = Pitch::from_radians(libm::atan2f(way.y, flat));
    }

    /// Looks at the chest of another.
    pub(crate) fn face(&mut self, slot: PlayerSlot, other: PlayerSlot) {
        let chest = self.row(other).body.pos + Vec3::Y * 1.2;
        self.look_at(slot, chest);
    }

    /// Walks to a mark and stands still there.
    pub(crate) fn walk(&mut self, slot: PlayerSlot, x: f32, z: f32) {
        let buttons = std::mem::take(&mut self.input(slot).buttons);
        for _ in 0..PATIENCE_TICKS {
            let pos = self.row(slot).body.pos;
            let (dx, dz) = (x - pos.x, z - pos.z);
            let left_m = libm::sqrtf(dx * dx + dz * dz);
            let input = self.input(slot);
            if left_m < 0.04 {
                input.move_forward = 0;
                input.buttons = buttons;
                self.steps(10);
                return;
            }
            input.yaw = Yaw::towards(dx, dz);
            input.move_forward = (left_m * 50.0).clamp(10.0, 127.0) as i8;
            input.buttons = if left_m > 2.0 { Buttons::SPRINT } else { Buttons::default() };
            self.step();
        }
        panic!("{slot:?} cannot get to ({x}, {z})");
    }

    /// A soldier's row.
    pub(crate) fn row(&self, slot: PlayerSlot) -> &SoldierRow {
        &self.battle.view().soldiers[usize::from(slot.0)]
    }

    /// The view.
    pub(crate) fn view(&self) -> &View {
        self.battle.view()
    }

    /// Whether it happened at all.
    pub(crate) fn happened(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.log.iter().any(|(_, event)| wanted(event))
    }

    /// Shoots at another's chest, reloading as needed, until it is down.
    pub(crate) fn bring_down(&mut self, slot: PlayerSlot, victim: PlayerSlot) {
        for _ in 0..PATIENCE_TICKS {
            if self.row(victim).status != Status::Alive {
                self.hold(slot, Buttons::default());
                return;
            }
            self.face(slot, victim);
            self.hold(slot, Buttons::FIRE);
            self.step();
        }
        panic!("{slot:?} cannot bring {victim:?} down: {:?}", self.row(victim));
    }
}

/// The shipped rules without chance in weapons and with short waves.
pub(crate) fn steady_rules() -> SimConfig {
    let mut config = SimConfig { mode: Mode::Conquest, ..SimConfig::default() };
    config.objective.wave_s = 0.1;
    for weapon in &mut config.weapons {
        weapon.spread_deg = 0.0;
        weapon.spread_per_shot_deg = 0.0;
        weapon.recoil_up_deg = 0.0;
        weapon.recoil_side_deg = 0.0;
    }
    config
}

/// Two enemies, red at (60, 80) and blue 20 m east of it, facing each other.
pub(crate) fn two_enemies(fixture: &mut Fixture, classes: [Class; 2]) -> [PlayerSlot; 2] {
    let red = fixture.enter(Team::Red, classes[0]);
    let blue = fixture.enter(Team::Blue, classes[1]);
    fixture.walk(red, 60.0, 80.0);
    fixture.walk(blue, 80.0, 80.0);
    fixture.face(red, blue);
    fixture.face(blue, red);
    [red, blue]
}
