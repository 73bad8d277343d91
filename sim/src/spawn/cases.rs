//! Maps of chance: wherever soldiers come in, they stand free, and a walk leads there.
//!
//! `SORTIE_CASES` says how many maps, `SIM_SEED` which is the first. The walk is the movement step
//! itself, which knows nothing of how places are found.

use std::fmt::Write;
use std::sync::Arc;

use sortie_field::body::{Body, MoveIntent, MoveRules, Stance};
use sortie_field::map::Map;
use sortie_field::{Field, Obstacle, Shape, Vec3, Yaw, step_body};

use crate::command::{Action, Buttons, Command, Input, SpawnAt};
use crate::components::{Pose, Roster, Vitals};
use crate::config::{Mode, SimConfig};
use crate::event::Event;
use crate::id::{Class, PlayerKey, PlayerSlot, PointId, Team, Tick};
use crate::objective::Round;
use crate::rng::{Dice, Rng, Stream};
use crate::view::Status;
use crate::{Battle, BattleSetup};

const MATE: PlayerSlot = PlayerSlot(0);
const NEWCOMER: PlayerSlot = PlayerSlot(1);
const ENEMY: PlayerSlot = PlayerSlot(2);
const SIZE_M: f32 = 96.0;

fn number<T: std::str::FromStr>(variable: &str, default: T) -> T {
    match std::env::var(variable) {
        Ok(text) => text.parse().ok().unwrap_or_else(|| panic!("{variable} is a number")),
        Err(_) => default,
    }
}

/// What a run came upon: a test that never meets what it is about proves nothing.
#[derive(Debug, Default)]
struct Seen {
    bases: u32,
    covered_bases: u32,
    points: u32,
    beside_mates: u32,
    at_mates: u32,
    crouched: u32,
    revived: u32,
    walkers: u32,
}

#[test]
fn everybody_comes_in_free_and_where_a_walk_leads() {
    let (seed, cases) = (number("SIM_SEED", 1u64), number("SORTIE_CASES", 150u64));
    println!("SIM_SEED={seed} SORTIE_CASES={cases}");
    let mut seen = Seen::default();
    for seed in seed..seed + cases {
        let mut case = Case::new(seed);
        case.come_in_at_bases(&mut seen);
        case.come_in_at_points(&mut seen);
        for _ in 0..8 {
            case.come_in_beside_a_mate(&mut seen);
        }
        case.walk_about(&mut seen);
    }
    println!("{seen:?}");
    let Seen { bases, covered_bases, points, beside_mates, at_mates, crouched, revived, walkers } =
        seen;
    let least = [bases, points, beside_mates, revived, walkers].map(u64::from);
    assert!(least.iter().all(|&count| count >= cases / 2), "too little was met");
    let rare = [covered_bases, at_mates, crouched].map(u64::from);
    assert!(rare.iter().all(|&count| count >= cases / 40), "too little was met");
}

/// A room: its middle and half its side.
type Room = (f32, f32, f32);

/// A map of chance with places that nobody gets into or out of.
fn ground(dice: &mut Dice) -> (Map, Vec<Room>) {
    let hills_m = if dice.below(2) == 0 { 0.0 } else { dice.between(1.0, 14.0) };
    let (seed, houses, crates) = (dice.below(1 << 30), dice.below(4), dice.below(40));
    let mut text = format!("name = \"chance\"\nsize_m = {SIZE_M:?}\n");
    if dice.below(3) == 0 {
        text += "boundary = [[20,4],[92,4],[92,70],[70,92],[4,92],[4,20]]\n";
    }
    let _ = write!(
        text,
        "[terrain]\nseed = {seed}\nhills_m = {hills_m:?}\nwavelength_m = 40.0\noctaves = 2\n\
         [scatter]\nseed = {seed}\nhouses = {houses}\ncrates = {crates}\nwalls = 6\nplatforms = 2\n"
    );
    let mut spots = Vec::new();
    for team in [0, 1] {
        let (x, z) = (dice.between(24.0, 68.0), dice.between(24.0, 68.0));
        let radius_m = dice.between(1.0, 14.0);
        let _ = write!(
            text,
            "[[base]]\nteam = {team}\nx = {x:?}\nz = {z:?}\nradius_m = {radius_m:?}\n"
        );
        spots.push((x, z));
    }
    for name in ["A", "B"] {
        let (x, z) = (dice.between(24.0, 68.0), dice.between(24.0, 68.0));
        let radius_m = dice.between(3.0, 12.0);
        let _ = write!(
            text,
            "[[point]]\nname = \"{name}\"\nx = {x:?}\nz = {z:?}\nradius_m = {radius_m:?}\n"
        );
        spots.push((x, z));
    }
    let mut rooms = Vec::new();
    for index in 0..7 {
        // Some stand where soldiers are to come in.
        let (x, z) = match spots.get(index) {
            Some(&(x, z)) if dice.below(2) == 0 => {
                (x + dice.between(-9.0, 9.0), z + dice.between(-9.0, 9.0))
            }
            _ => (dice.between(12.0, 84.0), dice.between(12.0, 84.0)),
        };
        let half_m = dice.between(0.6, 3.0);
        put_room(&mut text, (x, z, half_m), dice.below(2) == 0);
        rooms.push((x, z, half_m));
    }
    for index in 0..8 {
        let (x, z) = match spots.get(index) {
            Some(&(x, z)) if dice.below(4) == 0 => (x, z),
            _ => (dice.between(4.0, 92.0), dice.between(4.0, 92.0)),
        };
        let size_m = [dice.between(0.5, 9.0), dice.between(0.2, 5.0), dice.between(5.0, 9.0)];
        let shape = if dice.below(3) == 0 { "Ramp" } else { "Box" };
        // Some hang so low that one must duck.
        let bottom_m = (hills_m == 0.0 && dice.below(4) == 0).then(|| dice.between(1.25, 1.75));
        put_obstacle(&mut text, shape, [x, z], size_m, dice.between(0.0, 90.0), bottom_m);
    }
    (Map::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")), rooms)
}

fn put_obstacle(
    text: &mut String,
    shape: &str,
    [x, z]: [f32; 2],
    [width_m, height_m, length_m]: [f32; 3],
    heading_deg: f32,
    bottom_m: Option<f32>,
) {
    let _ = write!(
        text,
        "[[obstacle]]\nshape = \"{shape}\"\nx = {x:?}\nz = {z:?}\nwidth_m = {width_m:?}\n\
         height_m = {height_m:?}\nlength_m = {length_m:?}\nheading_deg = {heading_deg:?}\n"
    );
    if let Some(bottom_m) = bottom_m {
        let _ = writeln!(text, "bottom_m = {bottom_m:?}");
    }
}

/// Four walls without a door, high and deep enough for any slope, and perhaps a roof.
fn put_room(text: &mut String, (x, z, half_m): Room, roof: bool) {
    let side_m = 2.0 * half_m + 0.2;
    for [dx, dz] in [[-half_m, 0.0], [half_m, 0.0], [0.0, -half_m], [0.0, half_m]] {
        let (width_m, length_m) = if dx == 0.0 { (side_m, 0.2) } else { (0.2, side_m) };
        put_obstacle(text, "Box", [x + dx, z + dz], [width_m, 30.0, length_m], 0.0, Some(-12.0));
    }
    if roof {
        put_obstacle(text, "Box", [x, z], [side_m, 1.0, side_m], 0.0, Some(17.5));
    }
}

struct Case {
    seed: u64,
    dice: Dice,
    rooms: Vec<Room>,
    field: Arc<Field>,
    battle: Battle,
    inputs: [Input; 3],
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut dice = Rng::new(seed).dice(Tick(0), MATE, Stream::Spawn);
        let (map, rooms) = ground(&mut dice);
        let field = Arc::new(Field::new(map));
        let mut config = SimConfig { mode: Mode::Conquest, ..SimConfig::default() };
        config.tick_hz = [20, 60, 128][dice.below(3) as usize];
        config.objective.wave_s = 0.1;
        config.combat.revive_mate_s = 0.2;
        let battle = Battle::new(BattleSetup { config, field: field.clone(), seed, threads: 1 });
        let mut case = Self { seed, dice, rooms, field, battle, inputs: [Input::default(); 3] };
        for (slot, team) in [(MATE, Team::Red), (NEWCOMER, Team::Red), (ENEMY, Team::Blue)] {
            let key = PlayerKey(slot.0.into());
            let join = Action::Join { key, team: Some(team), class: Class::Assault };
            case.step(&[(slot, join), (slot, Action::JoinSquad)]);
        }
        case
    }

    /// One tick with these requests beside everybody's input.
    fn step(&mut self, asked: &[(PlayerSlot, Action)]) -> Vec<Event> {
        let inputs = [MATE, NEWCOMER, ENEMY].into_iter().zip(self.inputs.map(Action::Input));
        let all = asked.iter().copied().chain(inputs);
        let mut commands: Vec<_> = all.map(|(player, action)| Command { player, action }).collect();
        commands.sort_by_key(|command| command.player);
        self.battle.step(&commands).events.clone()
    }

    /// A player comes in; gives its body as it does.
    fn come_in(&mut self, slot: PlayerSlot, at: SpawnAt) -> Body {
        self.vitals(slot, |vitals| vitals.status = Status::Waiting);
        let spawn = Action::Spawn { at, class: Class::Assault };
        for _ in 0..100 {
            let events = self.step(&[(slot, spawn)]);
            let is_in =
                |event: &Event| matches!(event, Event::Spawned { player, .. } if *player == slot);
            if events.iter().any(is_in) {
                let body = self.body(slot);
                self.assert_free(&body, &format!("{slot:?} at {at:?}"));
                return body;
            }
        }
        panic!("case {}: {slot:?} never comes in", self.seed);
    }

    fn body(&self, slot: PlayerSlot) -> Body {
        self.battle.view().soldiers[usize::from(slot.0)].body
    }

    fn vitals(&mut self, slot: PlayerSlot, change: impl FnOnce(&mut Vitals)) {
        let entity = self.battle.world_mut().resource::<Roster>().get(slot).expect("joined");
        let mut vitals = self.battle.world_mut().get_mut::<Vitals>(entity).expect("a soldier");
        change(&mut vitals);
    }

    fn put(&mut self, slot: PlayerSlot, body: Body) {
        let entity = self.battle.world_mut().resource::<Roster>().get(slot).expect("joined");
        self.battle.world_mut().get_mut::<Pose>(entity).expect("a soldier").0 = body;
    }

    fn rules(&self) -> MoveRules {
        self.battle.config().movement
    }

    fn assert_free(&self, body: &Body, what: &str) {
        let (rules, pos) = (self.rules(), body.pos);
        let told = format!("case {}: {what}: {pos}", self.seed);
        assert!(pos.is_finite(), "{told}");
        assert!(pos.y >= self.field.ground_y(pos.x, pos.z) - 1e-3, "{told} is under the ground");
        assert!(self.field.inside_boundary(pos.x, pos.z), "{told} is outside the boundary");
        let height_m = body.stance.height_m(&rules);
        for obstacle in &self.field.map().obstacles {
            let depth_m = depth_in(obstacle, pos, rules.radius_m, height_m);
            assert!(depth_m < 2e-3, "{told} is {depth_m} m inside {obstacle:?}");
        }
        let edge = rules.radius_m - 1e-3..=SIZE_M - rules.radius_m + 1e-3;
        assert!(edge.contains(&pos.x) && edge.contains(&pos.z), "{told} is over the edge");
    }

    fn assert_walk(&self, from: Vec3, to: &Body, what: &str) {
        let told = format!("case {}: {what}: from {from} no walk leads to {}", self.seed, to.pos);
        assert!(walk_leads(&self.field, &self.rules(), from, to.pos), "{told}");
    }

    fn come_in_at_bases(&mut self, seen: &mut Seen) {
        for (slot, team) in [(MATE, Team::Red), (NEWCOMER, Team::Red), (ENEMY, Team::Blue)] {
            let body = self.come_in(slot, SpawnAt::Base);
            let middle = self.field.map().bases[team.index()][0].center;
            if self.field.fits(middle, &self.rules()) {
                self.assert_walk(middle, &body, "a base");
                seen.bases += 1;
            } else {
                seen.covered_bases += 1;
            }
        }
    }

    fn come_in_at_points(&mut self, seen: &mut Seen) {
        for index in [0u8, 1] {
            let mut round = self.battle.world_mut().resource_mut::<Round>();
            let point = &mut round.points[usize::from(index)];
            // Wholly, so that an enemy who stands there does not turn it meanwhile.
            (point.owner, point.progress) = (Some(Team::Red), -1.0);
            let body = self.come_in(NEWCOMER, SpawnAt::Point(PointId(index)));
            let middle = self.field.map().points[usize::from(index)].pos;
            if self.field.fits(middle, &self.rules()) {
                self.assert_walk(middle, &body, "a point");
                seen.points += 1;
            }
        }
    }

    /// A place that a mate may have got to: anywhere, on top of things, in and beside rooms.
    fn place_of_a_mate(&mut self) -> Option<Body> {
        let rules = self.rules();
        for _ in 0..20 {
            let dice = &mut self.dice;
            let (x, z) = match dice.below(3) {
                0 => (dice.between(5.0, 91.0), dice.between(5.0, 91.0)),
                inside_or_beside => {
                    let room = self.rooms[dice.below(self.rooms.len() as u32) as usize];
                    let reach_m = room.2 + if inside_or_beside == 1 { -0.5 } else { 1.0 };
                    let along = dice.between(-reach_m.abs(), reach_m.abs());
                    (room.0 + reach_m, room.1 + along)
                }
            };
            let y = self.field.ground_y(x, z);
            let top = Vec3::new(x, f32::MAX, z);
            // Not by a hair: the next move would be a fall.
            let firm_m = rules.radius_m - 0.02;
            let y = if dice.below(4) == 0 { self.field.floor_y(top, firm_m) } else { y };
            let pos = Vec3::new(x, y, z);
            let free = |height_m| self.field.has_room(pos, rules.radius_m + 2e-3, height_m);
            let stance = if free(rules.stand_m) { Stance::Standing } else { Stance::Crouched };
            if free(stance.height_m(&rules)) && self.field.inside_boundary(x, z) {
                return Some(Body { stance, grounded: true, ..Body::at(pos) });
            }
        }
        None
    }

    fn come_in_beside_a_mate(&mut self, seen: &mut Seen) {
        let Some(place) = self.place_of_a_mate() else { return };
        self.come_in(MATE, SpawnAt::Base);
        self.put(MATE, place);
        let ducks = place.stance == Stance::Crouched;
        let buttons = if ducks { Buttons::CROUCH } else { Buttons::default() };
        self.inputs[usize::from(MATE.0)].buttons = buttons;
        let body = self.come_in(NEWCOMER, SpawnAt::Squad);
        let mate = self.body(MATE);
        // It may have slid out of bounds meanwhile: then the base was right.
        if !self.field.inside_boundary(mate.pos.x, mate.pos.z) {
            return;
        }
        let apart = Vec3::new(body.pos.x - mate.pos.x, 0.0, body.pos.z - mate.pos.z).length();
        assert!(apart < 4.1, "case {}: {apart} m beside {}", self.seed, mate.pos);
        if apart < 1e-3 {
            seen.at_mates += 1;
            seen.crouched += u32::from(body.stance == Stance::Crouched);
        } else {
            self.assert_walk(mate.pos, &body, "a mate");
            seen.beside_mates += 1;
        }
        self.help_up(seen);
    }

    /// The newcomer goes down where its mate is, and is helped up.
    fn help_up(&mut self, seen: &mut Seen) {
        let place = self.body(MATE);
        self.put(NEWCOMER, place);
        self.vitals(NEWCOMER, |vitals| {
            vitals.status = Status::Down;
            vitals.bleeds_out_at = Tick(u32::MAX);
        });
        let buttons = self.inputs[usize::from(MATE.0)].buttons;
        self.inputs[usize::from(MATE.0)].buttons = buttons.with(Buttons::USE);
        for _ in 0..100 {
            let events = self.step(&[]);
            if events.iter().any(|event| matches!(event, Event::Revived { .. })) {
                let body = self.body(NEWCOMER);
                self.assert_free(&body, "helped up");
                seen.revived += 1;
                break;
            }
        }
        self.inputs[usize::from(MATE.0)].buttons = buttons;
    }

    /// The mode in which soldiers come in anywhere.
    fn walk_about(&mut self, seen: &mut Seen) {
        let config = SimConfig { mode: Mode::Walk, ..self.battle.config().clone() };
        let setup = BattleSetup { config, field: self.field.clone(), seed: self.seed, threads: 1 };
        let mut battle = Battle::new(setup);
        let class = Class::Assault;
        for slot in (0..3).map(PlayerSlot) {
            let join = Action::Join { key: PlayerKey(slot.0.into()), team: None, class };
            let spawn = Action::Spawn { at: SpawnAt::Base, class };
            battle.step(&[join, spawn].map(|action| Command { player: slot, action }));
            let row = battle.view().soldiers[usize::from(slot.0)];
            assert_eq!(row.status, Status::Alive);
            self.assert_free(&row.body, "a walker");
            seen.walkers += 1;
        }
    }
}

/// How deep an upright cylinder reaches into an obstacle, horizontally; 0 when it does not.
fn depth_in(obstacle: &Obstacle, pos: Vec3, radius_m: f32, height_m: f32) -> f32 {
    const TOUCH_M: f32 = 2e-3;
    let (feet, head) = (pos.y + TOUCH_M, pos.y + height_m - TOUCH_M);
    if obstacle.top() <= feet || obstacle.bottom() >= head {
        return 0.0;
    }
    let (sin, cos) = libm::sincosf(obstacle.yaw.radians());
    let offset = pos - obstacle.center;
    let (across, along) = (offset.x * cos + offset.z * sin, offset.x * sin - offset.z * cos);
    if obstacle.shape == Shape::Ramp {
        // What of it is higher than the feet, where the body is nearest to it.
        let nearest = along.clamp(-obstacle.half.z, obstacle.half.z);
        let surface = obstacle.center.y + obstacle.half.y * nearest / obstacle.half.z;
        if surface <= feet {
            return 0.0;
        }
    }
    let (across, along) = (across.abs() - obstacle.half.x, along.abs() - obstacle.half.z);
    let outside = libm::hypotf(across.max(0.0), along.max(0.0)) + across.max(along).min(0.0);
    (radius_m - outside).max(0.0)
}

/// Whether somebody who runs straight on from a place gets to another, by the movement step.
fn walk_leads(field: &Field, rules: &MoveRules, from: Vec3, to: Vec3) -> bool {
    let mut body = Body::at(from);
    for _ in 0..400 {
        let way = to - body.pos;
        if libm::hypotf(way.x, way.z) < 0.3 && way.y.abs() < 0.6 {
            return true;
        }
        let yaw = Yaw::towards(way.x, way.z);
        let intent = MoveIntent { forward: 1.0, yaw, ..MoveIntent::default() };
        step_body(&mut body, &intent, field, rules, 1.0 / 60.0);
    }
    false
}
