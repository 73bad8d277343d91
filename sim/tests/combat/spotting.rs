//! Enemies made known: by a look and a word, by a motion sensor.

use sortie_sim::command::{Action, Buttons};
use sortie_sim::field::Vec3;
use sortie_sim::id::{Class, PlayerSlot, Team};

use crate::fixture::{Fixture, two_enemies};

fn is_spotted(fixture: &Fixture, slot: PlayerSlot) -> bool {
    fixture.row(slot).spotted_until > fixture.battle.tick()
}

#[test]
fn who_is_looked_at_can_be_spotted() {
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    fixture.look_at(red, Vec3::new(60.0, 1.6, 20.0));
    fixture.ask(red, Action::Spot);
    fixture.step();
    assert!(!is_spotted(&fixture, blue), "not looked at");
    fixture.seconds(3.0);
    fixture.face(red, blue);
    fixture.ask(red, Action::Spot);
    fixture.step();
    assert!(is_spotted(&fixture, blue));
    assert!(!is_spotted(&fixture, red));
    fixture.seconds(6.0);
    assert!(!is_spotted(&fixture, blue), "forgotten");
}

#[test]
fn walls_hide_from_spotting() {
    let wall = "[[obstacle]]\nshape = \"Box\"\nx = 70.0\nz = 80.0\nwidth_m = 8.0\n\
                height_m = 3.0\nlength_m = 8.0\n";
    let mut fixture = Fixture::with(wall, |_| {});
    let red = fixture.enter(Team::Red, Class::Assault);
    let blue = fixture.enter(Team::Blue, Class::Assault);
    fixture.walk(red, 60.0, 80.0);
    fixture.walk(blue, 80.0, 80.0);
    fixture.face(red, blue);
    fixture.ask(red, Action::Spot);
    fixture.step();
    assert!(!is_spotted(&fixture, blue));
}

#[test]
fn a_spotter_shares_in_the_kill() {
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    let spotter = fixture.enter(Team::Red, Class::Recon);
    fixture.walk(spotter, 60.0, 76.0);
    fixture.face(spotter, blue);
    fixture.ask(spotter, Action::Spot);
    fixture.step();
    fixture.bring_down(red, blue);
    assert_eq!(fixture.row(spotter).score.points, 20);
    assert_eq!(fixture.row(red).score.points, 100);
}

#[test]
fn a_sensor_marks_enemies_within_thirty_metres() {
    let mut fixture = Fixture::new();
    let recon = fixture.enter(Team::Red, Class::Recon);
    let mate = fixture.enter(Team::Red, Class::Assault);
    let [near, far] = [(); 2].map(|()| fixture.enter(Team::Blue, Class::Assault));
    fixture.walk(recon, 60.0, 80.0);
    fixture.walk(mate, 62.0, 80.0);
    fixture.walk(near, 85.0, 80.0);
    fixture.walk(far, 95.0, 80.0);
    fixture.press(recon, Buttons::USE);
    fixture.seconds(1.0);
    assert!(is_spotted(&fixture, near));
    for slot in [far, mate, recon] {
        assert!(!is_spotted(&fixture, slot), "{slot:?}");
    }
}

#[test]
fn crying_out_all_the_time_marks_no_more_than_now_and_then() {
    // A macro that spots on every tick while it sweeps over two enemies.
    let mut fixture = Fixture::with("", |config| config.combat.spotted_s = 0.1);
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    let mut marked = 0;
    for _ in 0..300 {
        fixture.face(red, blue);
        fixture.ask(red, Action::Spot);
        fixture.step();
        marked += u32::from(is_spotted(&fixture, blue));
    }
    assert!(marked > 0 && marked < 60, "marked in {marked} of 300 ticks");
}
