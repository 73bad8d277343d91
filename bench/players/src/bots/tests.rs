//! Bots in bodies of their own, on real maps, without a battle.

use sortie_field::{Body, Field, Map, MoveIntent, MoveRules, Vec3, direction, step_body};

use super::*;

const HZ: u32 = 60;

/// A bot, its body, and what it knows.
struct Fixture {
    field: Field,
    points: Vec<Point>,
    enemies: Vec<Enemy>,
    mates: Vec<Mate>,
    brain: BotBrain,
    me: BotSelf,
    body: Body,
    tick: u32,
}

impl Fixture {
    fn new(map: &str, seed: u64, slot: u16, start: Vec3) -> Self {
        let field = Field::new(Map::shipped(map).expect("shipped"));
        let point = |point: &sortie_field::map::CapturePoint| Point {
            pos: point.pos,
            radius_m: point.radius_m,
            owner: None,
            contested: false,
        };
        let points = field.map().points.iter().map(point).collect();
        let pos = Vec3::new(start.x, field.ground_y(start.x, start.z), start.z);
        let me = BotSelf {
            status: BotStatus::Alive,
            team: 0,
            class: BotClass::Assault,
            pos,
            vel: Vec3::ZERO,
            eye: pos + Vec3::Y * 1.65,
            yaw: Yaw(0),
            pitch: sortie_field::Pitch(0),
            health_hp: 100,
            ammo: 30,
            reserve: 120,
            grenades: 0,
            reloading: false,
            weapon_slot: 0,
            weapon: BotWeapon::default(),
        };
        let brain = BotBrain::new(seed, slot);
        let (enemies, mates) = (Vec::new(), Vec::new());
        Self { field, points, enemies, mates, brain, me, body: Body::at(pos), tick: 100 }
    }

    fn think(&mut self) -> BotOrder {
        let view = BotView {
            tick: self.tick,
            tick_hz: HZ,
            me: self.me,
            enemies: &self.enemies,
            mates: &self.mates,
            points: &self.points,
            field: &self.field,
        };
        self.brain.think(&view)
    }

    /// One tick: think, and move as the battle would.
    fn step(&mut self) -> BotOrder {
        let order = self.think();
        let held = |button: u16| order.buttons & button != 0;
        let intent = MoveIntent {
            right: f32::from(order.move_right) / 127.0,
            forward: f32::from(order.move_forward) / 127.0,
            yaw: Yaw(order.yaw),
            jump: held(buttons::JUMP),
            crouch: held(buttons::CROUCH),
            sprint: held(buttons::SPRINT),
        };
        step_body(&mut self.body, &intent, &self.field, &MoveRules::default(), 1.0 / HZ as f32);
        (self.me.pos, self.me.vel) = (self.body.pos, self.body.vel);
        self.me.eye = self.body.pos + Vec3::Y * 1.65;
        (self.me.yaw, self.me.pitch) = (Yaw(order.yaw), sortie_field::Pitch(order.pitch));
        self.tick += 1;
        order
    }

    /// Ticks until the bot is inside any point.
    fn ticks_to_a_point(&mut self, ticks_max: u32) -> Option<u32> {
        (0..ticks_max).find(|_| {
            self.step();
            let inside = |point: &Point| view::apart_m(point.pos, self.me.pos) < point.radius_m;
            self.points.iter().any(inside)
        })
    }
}

#[test]
fn bots_find_a_point_from_every_base() {
    let mut times = Vec::new();
    for map in ["quarry", "ridge", "steppe"] {
        let bases = Map::shipped(map).expect("shipped").bases;
        for area in bases.iter().flatten() {
            for slot in 0..4 {
                let mut fixture = Fixture::new(map, 7, slot * 5, area.center);
                // At a run the farthest point that a squad may choose is some 40 s away.
                let ticks = fixture.ticks_to_a_point(90 * HZ);
                times.push(ticks.unwrap_or_else(|| panic!("{map} {area:?} {:?}", fixture.me.pos)));
            }
        }
    }
    times.sort_unstable();
    let median_s = times[times.len() / 2] / HZ;
    assert!(median_s < 30, "half of them need more than {median_s} s");
}

#[test]
fn bots_get_out_of_anywhere() {
    let map = Map::shipped("ridge").expect("shipped");
    let mut late = 0;
    for place in 0..60u32 {
        let (x, z) = (40.0 + (place * 137 % 430) as f32, 40.0 + (place * 211 % 430) as f32);
        let mut fixture = Fixture::new("ridge", 3, place as u16, Vec3::new(x, 0.0, z));
        if !fixture.field.has_room(fixture.me.pos, 0.5, 1.8) {
            continue;
        }
        late += u32::from(fixture.ticks_to_a_point(120 * HZ).is_none());
    }
    assert!(late <= 1, "{late} of 60 bots are lost on {}", map.name);
}

/// Fires at an enemy for ten seconds; shots, and those within a body's width and height of it.
fn shoot_at(distance_m: f32, vel: Vec3, seed: u64) -> (u32, u32) {
    let mut fixture = Fixture::new("plain", seed, 1, Vec3::new(256.0, 0.0, 200.0));
    fixture.points.clear();
    let start = Vec3::new(256.0, 0.0, 200.0 + distance_m);
    fixture.enemies.push(Enemy { id: 9, pos: start, vel, crouched: false });
    let (mut shots, mut hits) = (0, 0);
    for tick in 0..10 * HZ {
        // Back and forth, two seconds each way.
        let phase = tick % (4 * HZ);
        let way = if phase < 2 * HZ { phase } else { 4 * HZ - phase };
        fixture.enemies[0].pos = start + vel * (way as f32 / HZ as f32);
        fixture.enemies[0].vel = if phase < 2 * HZ { vel } else { -vel };
        let order = fixture.step();
        if order.buttons & buttons::FIRE == 0 || !tick.is_multiple_of(6) {
            continue; // 600 rounds a minute.
        }
        shots += 1;
        let dir = direction(Yaw(order.yaw), sortie_field::Pitch(order.pitch));
        let body = fixture.enemies[0].pos - fixture.me.eye;
        let at = dir * (body.x.hypot(body.z) / dir.x.hypot(dir.z).max(1e-3));
        let aside = (at.x - body.x).hypot(at.z - body.z);
        hits += u32::from(aside < 0.4 && (0.0..1.8).contains(&(at.y - body.y)));
    }
    (shots, hits)
}

#[test]
fn bots_aim_like_people() {
    let share = |distance_m: f32, vel: Vec3| {
        let (mut shots, mut hits) = (0, 0);
        for seed in 0..40 {
            let (fired, hit) = shoot_at(distance_m, vel, seed);
            shots += fired;
            hits += hit;
        }
        assert!(shots > 40 * 10, "{shots} shots at {distance_m} m");
        hits as f32 / shots as f32
    };
    let (near, middle, far) =
        (share(10.0, Vec3::ZERO), share(40.0, Vec3::ZERO), share(90.0, Vec3::ZERO));
    let moving = share(40.0, Vec3::X * 5.0);
    println!("hits at 10 m {near:.2}, 40 m {middle:.2}, moving {moving:.2}, 90 m {far:.2}");
    assert!((0.5..1.0).contains(&near), "{near}");
    assert!((0.15..0.85).contains(&middle), "{middle}");
    assert!((0.02..0.6).contains(&far), "{far}");
    assert!(moving < middle && moving > 0.05, "{moving}");
}

#[test]
fn nobody_reacts_at_once_or_shoots_through_hills() {
    let mut fixture = Fixture::new("plain", 1, 1, Vec3::new(256.0, 0.0, 200.0));
    let enemy =
        Enemy { id: 3, pos: Vec3::new(256.0, 0.0, 180.0), vel: Vec3::ZERO, crouched: false };
    for _ in 0..60 {
        fixture.step();
    }
    fixture.enemies.push(enemy);
    let first = (0..HZ).find(|_| fixture.step().buttons & buttons::FIRE != 0);
    let first = first.expect("fires within a second");
    assert!(first > 10 && first < 55, "fired after {first} ticks");

    let mut fixture = Fixture::new("ridge", 1, 1, Vec3::new(150.0, 0.0, 256.0));
    let far = Vec3::new(365.0, fixture.field.ground_y(365.0, 256.0), 256.0);
    fixture.me.weapon.reach_m = 400.0;
    fixture.enemies.push(Enemy { pos: far, ..enemy });
    for _ in 0..60 {
        assert_eq!(fixture.step().buttons & buttons::FIRE, 0, "the ridge lies between");
    }
}

#[test]
fn the_same_seed_decides_the_same() {
    let orders = |seed: u64| -> Vec<BotOrder> {
        let mut fixture = Fixture::new("ridge", seed, 6, Vec3::new(130.0, 0.0, 256.0));
        let pos = Vec3::new(190.0, fixture.field.ground_y(190.0, 256.0), 256.0);
        fixture.enemies.push(Enemy { id: 4, pos, vel: Vec3::Z, crouched: false });
        (0..900).map(|_| fixture.step()).collect()
    };
    assert_eq!(orders(5), orders(5));
    assert_ne!(orders(5), orders(6));
}

#[test]
fn walking_inputs_mostly_repeat() {
    let mut fixture = Fixture::new("steppe", 2, 10, Vec3::new(820.0, 0.0, 732.0));
    let (mut last, mut repeats) = (fixture.step(), 0);
    for _ in 0..20 * HZ {
        let order = fixture.step();
        repeats += u32::from(order == last);
        last = order;
    }
    let share = repeats as f32 / (20 * HZ) as f32;
    println!("{share:.2} of inputs repeat");
    assert!(share > 0.75, "only {share} repeat");
}

#[test]
fn the_waiting_ask_to_spawn_and_the_downed_give_up() {
    let mut fixture = Fixture::new("ridge", 2, 7, Vec3::new(130.0, 0.0, 256.0));
    fixture.me.status = BotStatus::Waiting;
    let asks = |fixture: &mut Fixture, ticks: u32| -> Vec<BotRequest> {
        (0..ticks)
            .filter_map(|_| {
                fixture.tick += 1;
                fixture.think().request
            })
            .collect()
    };
    let first = asks(&mut fixture, 60);
    assert!(matches!(first[..], [BotRequest::Spawn { class: BotClass::Support, .. }]), "{first:?}");
    fixture.me.status = BotStatus::Alive;
    assert_eq!(asks(&mut fixture, 10), [BotRequest::JoinSquad]);
    fixture.me.status = BotStatus::Down;
    assert!(asks(&mut fixture, 5 * HZ).is_empty(), "hopes for a medic");
    assert_eq!(asks(&mut fixture, 10 * HZ).first(), Some(&BotRequest::GiveUp));
}

#[test]
fn medics_go_to_the_fallen_and_help_them_up() {
    let mut fixture = Fixture::new("plain", 4, 1, Vec3::new(200.0, 0.0, 200.0));
    fixture.me.class = BotClass::Medic;
    let pos = Vec3::new(212.0, 0.0, 209.0);
    fixture.mates.push(Mate { id: 2, pos, down: true, health_hp: 0, in_squad: false });
    let arrived = (0..10 * HZ).find(|_| fixture.step().buttons & buttons::USE != 0);
    assert!(arrived.is_some());
    for _ in 0..2 * HZ {
        let order = fixture.step();
        assert!(order.buttons & buttons::USE != 0, "held until revived");
        assert_eq!((order.move_right, order.move_forward), (0, 0));
    }
    assert!(view::apart_m(fixture.me.pos, pos) < 2.0);
}

#[test]
fn empty_weapons_are_reloaded_or_put_away() {
    let mut fixture = Fixture::new("plain", 4, 1, Vec3::new(200.0, 0.0, 200.0));
    fixture.me.ammo = 0;
    assert!((0..20).any(|_| fixture.step().buttons & buttons::RELOAD != 0));
    fixture.me.reserve = 0;
    let drawn = (0..20).find(|_| fixture.step().weapon_slot == 1);
    assert!(drawn.is_some(), "nothing left for the rifle");
}

#[test]
fn buttons_are_those_of_an_input_command() {
    use sortie_sim::command::Buttons;
    let pairs = [
        (buttons::FIRE, Buttons::FIRE),
        (buttons::AIM, Buttons::AIM),
        (buttons::JUMP, Buttons::JUMP),
        (buttons::CROUCH, Buttons::CROUCH),
        (buttons::SPRINT, Buttons::SPRINT),
        (buttons::RELOAD, Buttons::RELOAD),
        (buttons::USE, Buttons::USE),
        (buttons::THROW, Buttons::THROW),
    ];
    for (ours, theirs) in pairs {
        assert_eq!(ours, theirs.0);
    }
}
