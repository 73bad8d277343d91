//! What a cheating client sends beyond an honest one gains it nothing: each cheat beside its
//! honest twin.

use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::field::{Pitch, Vec3, Yaw};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, PointId, Team, Tick};
use sortie_sim::view::Status;
use sortie_sim::{Battle, BattleSetup};

use crate::fixture::{Fixture, GROUND, steady_rules, two_enemies};

/// How far a soldier comes in two seconds with such an input, and the longest step on the way.
fn run(tune: impl Fn(&mut Input)) -> (f32, f32) {
    let mut fixture = Fixture::new();
    let slot = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(slot, 40.0, 80.0);
    fixture.input(slot).yaw = Yaw(16_384);
    tune(fixture.input(slot));
    let flat = |pos: Vec3| Vec3::new(pos.x, 0.0, pos.z);
    let (start, mut last, mut step_m) = (fixture.row(slot).body.pos, Vec3::ZERO, 0.0f32);
    for tick in 0..120 {
        if tick > 0 {
            step_m = step_m.max((flat(fixture.row(slot).body.pos) - last).length());
        }
        last = flat(fixture.row(slot).body.pos);
        fixture.step();
    }
    ((flat(fixture.row(slot).body.pos) - flat(start)).length(), step_m)
}

#[test]
fn speed_huge_axes_are_no_faster() {
    let (honest_m, honest_step_m) = run(|input| {
        input.move_forward = 127;
        input.buttons = Buttons::SPRINT;
    });
    assert!(honest_m > 13.0, "{honest_m}");
    let cheats: [fn(&mut Input); 4] = [
        |input| (input.move_forward, input.move_right) = (127, 127),
        |input| (input.move_forward, input.move_right) = (127, i8::MIN),
        |input| (input.move_forward, input.yaw) = (i8::MIN, Yaw(49_152)),
        |input| (input.move_forward, input.pitch) = (127, Pitch(i16::MIN)),
    ];
    for (number, cheat) in cheats.iter().enumerate() {
        let (way_m, step_m) = run(|input| {
            input.buttons = Buttons(!(Buttons::CROUCH.0 | Buttons::JUMP.0));
            cheat(input);
        });
        assert!(way_m <= honest_m + 0.01, "cheat {number}: {way_m} m, honestly {honest_m} m");
        assert!(step_m <= honest_step_m + 1e-4, "cheat {number}: {step_m} m a tick");
    }
}

#[test]
fn speed_many_inputs_a_tick_are_one_step() {
    let way = |inputs: usize| {
        let mut fixture = Fixture::new();
        let slot = fixture.enter(Team::Red, Class::Assault);
        fixture.walk(slot, 40.0, 80.0);
        let input = Input { yaw: Yaw(16_384), move_forward: 127, ..Input::default() };
        *fixture.input(slot) = input;
        let start = fixture.row(slot).body.pos;
        for _ in 0..60 {
            (1..inputs).for_each(|_| fixture.ask(slot, Action::Input(input)));
            fixture.step();
        }
        (fixture.row(slot).body.pos - start).length()
    };
    assert_eq!(way(1), way(8));
}

/// Rounds that leave in ten seconds of fire by `trigger`, from tick to tick.
fn rounds(class: Class, weapon_slot: u8, trigger: impl Fn(u32) -> Vec<Buttons>) -> (u32, u16) {
    let mut fixture = Fixture::new();
    let slot = fixture.enter(Team::Red, class);
    fixture.input(slot).weapon_slot = weapon_slot;
    fixture.seconds(1.0);
    for tick in 0..600 {
        for buttons in trigger(tick) {
            let input = Input { buttons, ..*fixture.input(slot) };
            fixture.ask(slot, Action::Input(input));
            fixture.hold(slot, buttons);
        }
        fixture.step();
    }
    (fixture.row(slot).score.shots, fixture.row(slot).ammo)
}

#[test]
fn rapid_fire_is_no_faster_than_the_weapon() {
    for (class, weapon_slot) in [(Class::Assault, 0), (Class::Medic, 0), (Class::Support, 0)] {
        let (honest, _) = rounds(class, weapon_slot, |_| vec![Buttons::FIRE]);
        assert!(honest > 20, "{class:?}: {honest} rounds");
        // Letting go and pulling anew each tick, and within the tick.
        let (clicking, _) = rounds(class, weapon_slot, |tick| match tick % 2 {
            0 => vec![Buttons::FIRE],
            _ => vec![Buttons::default()],
        });
        let (hammering, _) = rounds(class, weapon_slot, |_| {
            vec![Buttons::FIRE, Buttons::default(), Buttons::FIRE, Buttons::FIRE]
        });
        assert!(clicking <= honest, "{class:?}: {clicking} for {honest}");
        assert_eq!(hammering, honest, "{class:?}");
    }
}

#[test]
fn rapid_fire_of_a_pistol_is_bound_by_its_rate_too() {
    // One click each tick's end and beginning: the best that hands can do.
    let best = |period: u32| {
        let click = move |tick: u32| match tick % period {
            0 => vec![Buttons::FIRE],
            _ => vec![Buttons::default()],
        };
        rounds(Class::Assault, 1, click).0
    };
    // 380 a minute allow 6.3 a second; 12 rounds and 1.8 s of reloading interrupt them.
    for period in [2, 3, 5] {
        assert!(best(period) <= 42, "{} rounds", best(period));
    }
    assert!(best(10) >= 30, "{} rounds by an honest hand", best(10));
}

#[test]
fn no_reload_what_is_not_in_the_magazine_is_not_fired() {
    let shots_in = |buttons: fn(u32) -> Buttons| {
        let mut fixture = Fixture::new();
        let slot = fixture.enter(Team::Red, Class::Assault);
        let mut longest_burst = 0;
        let (mut burst, mut last, mut quiet) = (0, 0, 0);
        for tick in 0..1_200 {
            fixture.hold(slot, buttons(tick));
            fixture.input(slot).weapon_slot = 0;
            fixture.step();
            let shots = fixture.row(slot).score.shots;
            quiet = if shots == last { quiet + 1 } else { 0 };
            // Nobody reloads a rifle in less than two seconds.
            burst = if quiet > 100 { 0 } else { burst + shots - last };
            longest_burst = longest_burst.max(burst);
            last = shots;
        }
        (longest_burst, last)
    };
    let honest = shots_in(|_| Buttons::FIRE);
    assert_eq!(honest.0, 30, "a magazine");
    // Holding reload, and cancelling it by other actions, gives no round more.
    let held = shots_in(|_| Buttons::FIRE.with(Buttons::RELOAD));
    let hasty = shots_in(|tick| match tick % 3 {
        0 => Buttons::FIRE,
        1 => Buttons::RELOAD,
        _ => Buttons::FIRE.with(Buttons::SPRINT),
    });
    assert!(held.0 <= 30 && held.1 <= honest.1, "{held:?} {honest:?}");
    assert!(hasty.0 <= 30 && hasty.1 <= honest.1, "{hasty:?} {honest:?}");
}

#[test]
fn no_reload_switching_weapons_refills_nothing() {
    let mut fixture = Fixture::new();
    let slot = fixture.enter(Team::Red, Class::Assault);
    fixture.hold(slot, Buttons::FIRE);
    fixture.seconds(1.0);
    fixture.hold(slot, Buttons::default());
    let ammo = fixture.row(slot).ammo;
    assert!(ammo < 30);
    for weapon_slot in [1, 0, 2, 0, 1, 0] {
        fixture.input(slot).weapon_slot = weapon_slot;
        fixture.step();
    }
    assert_eq!(fixture.row(slot).ammo, ammo);
    let reserves = fixture.row(slot).reserve;
    fixture.hold(slot, Buttons::RELOAD);
    fixture.seconds(4.0);
    let row = fixture.row(slot);
    assert_eq!((row.ammo, row.reserve), (30, reserves - (30 - ammo)), "rounds are moved, not made");
}

#[test]
fn teleport_nothing_in_a_command_moves_a_soldier_farther_than_its_legs() {
    let mut setup = BattleSetup {
        config: steady_rules(),
        field: std::sync::Arc::new(sortie_sim::field::Field::new(
            sortie_sim::field::map::Map::parse(GROUND).expect("a map"),
        )),
        seed: 3,
        threads: 1,
    };
    setup.config.objective.wave_s = 5.0;
    let mut battle = Battle::new(setup);
    let slot = PlayerSlot(0);
    let step = |battle: &mut Battle, actions: &[Action]| {
        let commands: Vec<Command> =
            actions.iter().map(|&action| Command { player: slot, action }).collect();
        battle.step(&commands);
    };
    let join = Action::Join { key: PlayerKey(1), team: Some(Team::Red), class: Class::Recon };
    step(&mut battle, &[join, Action::Spawn { at: SpawnAt::Base, class: Class::Recon }]);
    while battle.view().soldiers[0].status != Status::Alive {
        step(&mut battle, &[]);
    }
    let mut last = battle.view().soldiers[0].body.pos;
    for tick in 0..1_200u32 {
        let input = Input {
            move_right: (tick * 37) as i8,
            move_forward: (tick * 91) as i8,
            yaw: Yaw((tick * 7_919) as u16),
            pitch: Pitch((tick * 104_729) as i16),
            buttons: Buttons((tick * 31) as u16 & !Buttons::FIRE.0),
            weapon_slot: tick as u8,
            view_tick: Tick(tick.wrapping_mul(0x9e37_79b9)),
        };
        // Spawning, rejoining, squads: nothing that lifts a living soldier from its place.
        step(
            &mut battle,
            &[
                join,
                Action::Join { key: PlayerKey(9), team: Some(Team::Blue), class: Class::Medic },
                Action::Spawn { at: SpawnAt::Point(PointId(tick as u8)), class: Class::Medic },
                Action::Spawn { at: SpawnAt::Squad, class: Class::Medic },
                Action::JoinSquad,
                Action::SquadOrder(PointId(0)),
                Action::GiveUp,
                Action::Input(input),
            ],
        );
        let row = &battle.view().soldiers[0];
        let way = row.body.pos - last;
        let flat_m = libm::sqrtf(way.x * way.x + way.z * way.z);
        assert!(flat_m <= 7.0 / 60.0 + 1e-3, "tick {tick}: {flat_m} m");
        assert!(row.team == Team::Red && row.class == Class::Recon && row.key == PlayerKey(1));
        last = row.body.pos;
    }
    assert_eq!(battle.view().soldiers.len(), 1);
}

/// Hits of ten shots at a soldier who sprints across, by a shooter whose aim is `back` ticks late
/// and who claims to have seen the tick `claimed` ticks ago.
fn hits(back: usize, claimed: u32) -> u32 {
    let mut fixture = Fixture::with("", |config| {
        // Nobody falls, so that all shots are alike.
        config.weapons[0].damage_hp = 1.0;
        config.weapons[0].damage_far_hp = 1.0;
    });
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Assault]);
    fixture.walk(blue, 80.0, 110.0);
    let input = fixture.input(blue);
    (input.yaw, input.move_forward, input.buttons) = (Yaw(0), 127, Buttons::SPRINT);
    let mut course = Vec::new();
    for tick in 0..240 {
        fixture.step();
        course.push(fixture.row(blue).body.pos);
        fixture.hold(red, Buttons::default());
        if tick >= 60 && tick % 18 == 0 {
            let place = course[course.len() - back] + Vec3::Y * 1.2;
            fixture.look_at(red, place);
            fixture.set_lag(red, claimed);
            fixture.hold(red, Buttons::FIRE);
        }
    }
    fixture.step();
    assert_eq!(fixture.row(red).score.shots, 10);
    fixture.row(red).score.hits
}

#[test]
fn rewind_claims_of_long_ago_hit_nothing_that_an_honest_shooter_could_not() {
    assert_eq!(hits(8, 8), 10, "an honest shooter 133 ms behind");
    for seconds in 1..=5 {
        assert_eq!(
            hits(60 * seconds as usize / 5, 60 * seconds),
            if seconds == 1 { 10 } else { 0 }
        );
    }
}

#[test]
fn rewind_claims_of_the_future_are_the_present() {
    // Aimed at where the target is in the tick of the shot: one step beyond the last seen.
    assert_eq!(hits(1, 0), hits(1, 1));
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Assault]);
    fixture.face(red, blue);
    let view_tick = Tick(u32::MAX);
    let input = Input { buttons: Buttons::FIRE, view_tick, ..*fixture.input(red) };
    *fixture.input(red) = input;
    // The fixture would tell the truth: this command comes after and is the last.
    fixture.set_lag(red, 0);
    fixture.step();
    assert_eq!(fixture.row(red).score.hits, 1);
}
