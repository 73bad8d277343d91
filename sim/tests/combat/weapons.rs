//! Magazines, reloads, rates and what flies.

use sortie_sim::command::Buttons;
use sortie_sim::config::{SimConfig, WeaponMode};
use sortie_sim::event::Event;
use sortie_sim::field::Vec3;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::{PropKind, Status};

use crate::fixture::{Fixture, steady_rules, two_enemies};

/// Ticks that a reload takes which begins with `rounds` fewer than a full magazine.
fn reload_ticks(rounds: u32) -> u32 {
    let mut fixture = Fixture::new();
    let slot = fixture.enter(Team::Red, Class::Assault);
    fixture.hold(slot, Buttons::FIRE);
    fixture.until("the rounds are out", |fixture| fixture.row(slot).score.shots == rounds);
    fixture.hold(slot, Buttons::RELOAD);
    fixture.until("the reload begins", |fixture| fixture.row(slot).reloading);
    fixture.hold(slot, Buttons::default());
    fixture.until("the reload ends", |fixture| !fixture.row(slot).reloading)
}

#[test]
fn an_empty_magazine_takes_longer_to_change() {
    let rifle = &SimConfig::default().weapons[0];
    let [tactical, empty] =
        [rifle.reload_s, rifle.reload_empty_s].map(|seconds| libm::ceilf(seconds * 60.0) as u32);
    assert!(tactical < empty);
    assert!(reload_ticks(10).abs_diff(tactical) <= 1, "{} for {tactical}", reload_ticks(10));
    assert!(reload_ticks(30).abs_diff(empty) <= 1, "{} for {empty}", reload_ticks(30));
}

#[test]
fn weapons_fire_at_their_rates() {
    for (class, weapon) in [(Class::Assault, 0), (Class::Medic, 1), (Class::Support, 2)] {
        let mut fixture = Fixture::with("", |config| {
            config.weapons.iter_mut().for_each(|weapon| weapon.magazine = 1_000);
        });
        let slot = fixture.enter(Team::Red, class);
        fixture.hold(slot, Buttons::FIRE);
        fixture.seconds(30.0);
        let rpm = fixture.battle.config().weapons[weapon].rpm;
        let shots = fixture.row(slot).score.shots as f32;
        assert!((shots - rpm / 2.0).abs() <= 2.0, "{class:?}: {shots} shots at {rpm} a minute");
    }
}

#[test]
fn the_rate_does_not_depend_on_the_tick_rate() {
    let shots = |tick_hz: u16| {
        let mut fixture = Fixture::with("", |config| {
            config.tick_hz = tick_hz;
            config.weapons[0].magazine = 1_000;
        });
        let slot = fixture.enter(Team::Red, Class::Assault);
        fixture.hold(slot, Buttons::FIRE);
        fixture.seconds(30.0);
        fixture.row(slot).score.shots
    };
    let at = [20, 30, 60, 128].map(shots);
    assert!(at.iter().all(|shots| shots.abs_diff(325) <= 3), "{at:?}");
}

#[test]
fn the_same_shot_has_the_same_spread() {
    let ends = |seed: u64| {
        let field = sortie_sim::field::Field::new(
            sortie_sim::field::map::Map::parse(crate::fixture::GROUND).expect("a map"),
        );
        let mut config = SimConfig::default();
        config.objective.wave_s = 0.1;
        let field = std::sync::Arc::new(field);
        let setup = sortie_sim::BattleSetup { config, field, seed, threads: 1 };
        let mut fixture = Fixture::of(setup);
        let slot = fixture.enter(Team::Red, Class::Assault);
        fixture.hold(slot, Buttons::FIRE);
        let events = fixture.seconds(2.0);
        let ends = events.iter().filter_map(|event| match *event {
            Event::Shot { origin, end, .. } => {
                let way = end - origin;
                Some((way / way.length()).to_array().map(f32::to_bits))
            }
            _ => None,
        });
        ends.collect::<Vec<_>>()
    };
    let first = ends(1);
    assert!(first.len() > 10);
    assert!(first.windows(2).any(|pair| pair[0] != pair[1]), "there is spread");
    assert_eq!(first, ends(1));
    assert_ne!(first, ends(2));
}

#[test]
fn recoil_lifts_the_muzzle_and_settles() {
    let mut fixture = Fixture::with("", |config| config.weapons[0].recoil_up_deg = 0.5);
    let slot = fixture.enter(Team::Red, Class::Assault);
    let place = fixture.row(slot).body.pos + Vec3::new(50.0, 1.65, 0.0);
    fixture.look_at(slot, place);
    let lift = |event: &Event| match *event {
        Event::Shot { origin, end, .. } => Some((end - origin).y / (end - origin).length()),
        _ => None,
    };
    fixture.hold(slot, Buttons::FIRE);
    let lifts: Vec<f32> = fixture.seconds(1.0).iter().filter_map(lift).collect();
    assert!(lifts[0].abs() < 1e-3, "{lifts:?}");
    assert!(lifts[lifts.len() - 1] > 0.01, "{lifts:?}");
    fixture.hold(slot, Buttons::default());
    fixture.seconds(3.0);
    let settled: Vec<f32> = fixture.press(slot, Buttons::FIRE).iter().filter_map(lift).collect();
    assert!(settled.len() == 1 && settled[0].abs() < 1e-3, "{settled:?}");
}

#[test]
fn a_shotgun_s_pellets_are_one_shot_with_many_hits() {
    let mut fixture = Fixture::with("", |config| config.weapons[5].damage_hp = 5.0);
    let [red, blue] = two_enemies(&mut fixture, [Class::Medic, Class::Recon]);
    fixture.walk(blue, 66.0, 80.0);
    fixture.input(red).weapon_slot = 2;
    fixture.seconds(1.0);
    assert_eq!(fixture.row(red).weapon.0, 5);
    fixture.face(red, blue);
    let events = fixture.press(red, Buttons::FIRE);
    let hits = events.iter().filter(|event| matches!(event, Event::Hit { .. })).count();
    assert_eq!(hits, 9, "{events:?}");
    let score = fixture.row(red).score;
    assert_eq!((score.shots, score.hits), (1, 1));
}

#[test]
fn a_rocket_flies_and_its_splash_reaches_around() {
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    let bystander = fixture.enter(Team::Blue, Class::Recon);
    fixture.walk(bystander, 80.0, 82.5);
    let far = fixture.enter(Team::Blue, Class::Recon);
    fixture.walk(far, 80.0, 95.0);
    fixture.input(red).weapon_slot = 2;
    fixture.seconds(1.0);
    fixture.face(red, blue);
    let events = fixture.press(red, Buttons::FIRE);
    assert!(events.iter().all(|event| !matches!(event, Event::Exploded { .. })));
    assert_eq!(fixture.view().props.len(), 1, "in flight");
    assert_eq!(fixture.view().props[0].kind, PropKind::Projectile);
    let ticks = fixture.until("it explodes", |fixture| fixture.view().props.is_empty());
    assert!((8..=20).contains(&ticks), "20 m at 90 m/s took {ticks} ticks");
    assert_eq!(fixture.row(blue).status, Status::Down);
    assert_eq!(fixture.row(red).score.kills, 1);
    assert!((1..100).contains(&fixture.row(bystander).health_hp), "{:?}", fixture.row(bystander));
    assert_eq!(fixture.row(far).health_hp, 100);
}

#[test]
fn a_strike_hurts_who_is_close_and_in_front() {
    let strike = |distance_m: f32, turned: bool| {
        let mut fixture = Fixture::new();
        let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
        fixture.walk(red, 80.0 - distance_m, 80.0);
        match turned {
            true => fixture.look_at(red, Vec3::new(0.0, 1.65, 80.0)),
            false => fixture.face(red, blue),
        }
        fixture.press(red, Buttons::MELEE);
        fixture.row(blue).health_hp
    };
    assert!(strike(1.2, false) < 100);
    assert_eq!(strike(1.2, true), 100);
    assert_eq!(strike(4.0, false), 100);
}

#[test]
fn every_class_has_what_the_rules_give_it() {
    let config = steady_rules();
    let mode = |name: &str| {
        let weapon = config.weapons.iter().find(|weapon| weapon.name == name);
        weapon.map(|weapon| weapon.mode)
    };
    for class in &config.classes {
        assert!(class.weapons.iter().all(|name| mode(name).is_some()), "{class:?}");
        assert_eq!(mode(&class.grenade), Some(WeaponMode::Thrown));
        assert_eq!(class.weapons[1], "pistol");
    }
}
