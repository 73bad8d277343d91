//! Grenades bounce, lie, go off, and hurt whom nothing shields; smoke hides.

use sortie_sim::command::Buttons;
use sortie_sim::event::Event;
use sortie_sim::field::Vec3;
use sortie_sim::id::{Class, PlayerSlot, Team};
use sortie_sim::interest::{Visibility, in_sight};
use sortie_sim::view::{PropKind, PropRow};

use crate::fixture::Fixture;

/// Throws at a place and waits for the bang; gives where it was.
fn throw(fixture: &mut Fixture, slot: PlayerSlot, at: Vec3) -> Vec3 {
    fixture.look_at(slot, at);
    fixture.press(slot, Buttons::THROW);
    let kinds = [PropKind::Grenade, PropKind::SmokeGrenade];
    assert!(fixture.view().props.iter().any(|prop| kinds.contains(&prop.kind)), "it flies");
    let since = fixture.log.len();
    fixture.until("it goes off", |fixture| {
        fixture.log[since..].iter().any(|(_, event)| matches!(event, Event::Exploded { .. }))
    });
    let bang = fixture.log[since..].iter().find_map(|(_, event)| match *event {
        Event::Exploded { pos, .. } => Some(pos),
        _ => None,
    });
    bang.expect("it went off")
}

#[test]
fn a_wall_shields_from_a_grenade() {
    // A wall from west to east; the thrower and a twin on its southern side.
    let wall = "[[obstacle]]\nshape = \"Box\"\nx = 80.0\nz = 80.0\nwidth_m = 12.0\n\
                height_m = 4.0\nlength_m = 0.5\n";
    let mut fixture = Fixture::with(wall, |config| config.weapons[7].damage_hp = 90.0);
    let red = fixture.enter(Team::Red, Class::Assault);
    let behind = fixture.enter(Team::Blue, Class::Recon);
    let before = fixture.enter(Team::Blue, Class::Recon);
    fixture.walk(red, 70.0, 90.0);
    fixture.walk(red, 80.0, 94.0);
    fixture.walk(behind, 100.0, 70.0);
    fixture.walk(behind, 80.0, 77.5);
    fixture.walk(before, 77.0, 84.5);
    // Against the foot of the wall.
    let bang = throw(&mut fixture, red, Vec3::new(80.0, 0.0, 81.0));
    assert!(bang.z > 80.0, "{bang}");
    let radius_m = fixture.battle.config().weapons[7].splash_m;
    for victim in [behind, before] {
        let distance_m = (fixture.row(victim).body.pos - bang).length();
        assert!(distance_m < radius_m - 1.0, "{victim:?} is {distance_m} m from it");
    }
    assert_eq!(fixture.row(behind).health_hp, 100, "shielded");
    assert!(fixture.row(before).health_hp < 100, "exposed");
}

#[test]
fn the_splash_falls_with_distance_and_spares_mates() {
    let mut fixture = Fixture::with("", |config| config.weapons[7].damage_hp = 60.0);
    let red = fixture.enter(Team::Red, Class::Assault);
    let mate = fixture.enter(Team::Red, Class::Assault);
    let [near, far] = [(); 2].map(|()| fixture.enter(Team::Blue, Class::Recon));
    fixture.walk(red, 62.0, 80.0);
    // Down at the own feet: everybody stands around.
    fixture.walk(mate, 63.0, 81.0);
    fixture.walk(near, 64.0, 80.0);
    fixture.walk(far, 67.0, 80.0);
    let bang = throw(&mut fixture, red, Vec3::new(62.2, 0.0, 80.0));
    // Whoever is nearer, wherever it rolled to.
    let at = |slot: PlayerSlot| {
        ((fixture.row(slot).body.pos - bang).length(), fixture.row(slot).health_hp)
    };
    let (mut nearer, mut farther) = (at(near), at(far));
    if nearer.0 > farther.0 {
        (nearer, farther) = (farther, nearer);
    }
    assert!(nearer.0 + 0.5 < farther.0 && farther.0 < 7.0, "{nearer:?} {farther:?}");
    assert!(nearer.1 < farther.1 && farther.1 < 100, "{nearer:?} {farther:?}");
    assert_eq!(at(mate).1, 100);
    assert!(at(red).1 < 100, "its own thrower is not spared");
}

#[test]
fn a_grenade_bounces_off_walls_and_comes_to_rest() {
    let wall = "[[obstacle]]\nshape = \"Box\"\nx = 80.0\nz = 80.0\nwidth_m = 20.0\n\
                height_m = 8.0\nlength_m = 2.0\nheading_deg = 90.0\n";
    let mut fixture = Fixture::with(wall, |config| config.weapons[7].fuse_s = 8.0);
    let red = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(red, 70.0, 80.0);
    fixture.look_at(red, Vec3::new(90.0, 2.0, 80.0));
    fixture.press(red, Buttons::THROW);
    let mut farthest = 0.0f32;
    let mut last = PropRow { ..fixture.view().props[0] };
    for _ in 0..7 * 60 {
        fixture.step();
        last = fixture.view().props[0];
        farthest = farthest.max(last.pos.x);
    }
    assert!(farthest > 77.0 && farthest < 80.0, "it met the wall: {farthest}");
    assert!(last.pos.x < farthest - 0.3, "and came back: {}", last.pos);
    assert!(last.vel.length() < 0.1 && last.pos.y.abs() < 0.2, "{last:?}");
    assert_eq!(fixture.row(red).grenades, 1);
}

#[test]
fn nobody_throws_what_it_does_not_have() {
    let mut fixture = Fixture::new();
    let red = fixture.enter(Team::Red, Class::Assault);
    fixture.look_at(red, Vec3::new(80.0, 6.0, 80.0));
    for _ in 0..20 {
        fixture.press(red, Buttons::THROW);
        fixture.seconds(0.3);
    }
    let bangs = fixture.log.iter().filter(|(_, event)| matches!(event, Event::Exploded { .. }));
    assert_eq!(fixture.row(red).grenades, 0);
    assert_eq!(bangs.count(), 2);
}

#[test]
fn smoke_hides_who_stands_behind_it() {
    let mut fixture = Fixture::new();
    let red = fixture.enter(Team::Red, Class::Support);
    let blue = fixture.enter(Team::Blue, Class::Recon);
    fixture.walk(red, 60.0, 80.0);
    fixture.walk(blue, 90.0, 80.0);
    let known = |fixture: &mut Fixture| {
        let mut visibility = Visibility::new(fixture.battle.config());
        for _ in 0..12 {
            fixture.step();
            visibility.update(fixture.view(), fixture.battle.field(), None);
        }
        visibility.visible(red).contains(blue.into())
    };
    assert!(known(&mut fixture));
    throw(&mut fixture, red, Vec3::new(72.0, 0.0, 80.0));
    let cloud = fixture.view().props.iter().find(|prop| prop.kind == PropKind::Smoke).copied();
    let cloud = cloud.expect("it opened");
    assert!((cloud.pos.x - 75.0).abs() < 12.0 && cloud.radius_m >= 4.0, "{cloud:?}");
    assert!(!known(&mut fixture), "hidden by {cloud:?}");
    assert!(in_sight(
        Vec3::new(60.0, 1.65, 80.0),
        Vec3::new(90.0, 1.0, 80.0),
        fixture.battle.field(),
        &[]
    ));
    fixture.seconds(fixture.battle.config().weapons[8].smoke_s + 0.5);
    assert!(fixture.view().props.is_empty(), "it has blown away");
    assert!(known(&mut fixture));
}
