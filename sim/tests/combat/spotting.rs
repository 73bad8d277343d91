//! Enemies made known: by a look and a word, by a motion sensor.

use sortie_sim::command::{Action, Buttons};
use sortie_sim::field::Vec3;
use sortie_sim::id::{Class, PlayerSlot, Team};

use crate::stage::{Stage, two_enemies};

fn is_spotted(stage: &Stage, slot: PlayerSlot) -> bool {
    stage.row(slot).spotted_until > stage.battle.tick()
}

#[test]
fn who_is_looked_at_can_be_spotted() {
    let mut stage = Stage::new();
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Recon]);
    stage.look_at(red, Vec3::new(60.0, 1.6, 20.0));
    stage.ask(red, Action::Spot);
    stage.step();
    assert!(!is_spotted(&stage, blue), "not looked at");
    stage.seconds(3.0);
    stage.face(red, blue);
    stage.ask(red, Action::Spot);
    stage.step();
    assert!(is_spotted(&stage, blue));
    assert!(!is_spotted(&stage, red));
    stage.seconds(6.0);
    assert!(!is_spotted(&stage, blue), "forgotten");
}

#[test]
fn walls_hide_from_spotting() {
    let wall = "[[obstacle]]\nshape = \"Box\"\nx = 70.0\nz = 80.0\nwidth_m = 8.0\n\
                height_m = 3.0\nlength_m = 8.0\n";
    let mut stage = Stage::with(wall, |_| {});
    let red = stage.enter(Team::Red, Class::Assault);
    let blue = stage.enter(Team::Blue, Class::Assault);
    stage.walk(red, 60.0, 80.0);
    stage.walk(blue, 80.0, 80.0);
    stage.face(red, blue);
    stage.ask(red, Action::Spot);
    stage.step();
    assert!(!is_spotted(&stage, blue));
}

#[test]
fn a_spotter_shares_in_the_kill() {
    let mut stage = Stage::new();
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Recon]);
    let spotter = stage.enter(Team::Red, Class::Recon);
    stage.walk(spotter, 60.0, 76.0);
    stage.face(spotter, blue);
    stage.ask(spotter, Action::Spot);
    stage.step();
    stage.bring_down(red, blue);
    assert_eq!(stage.row(spotter).score.points, 20);
    assert_eq!(stage.row(red).score.points, 100);
}

#[test]
fn a_sensor_marks_enemies_within_thirty_metres() {
    let mut stage = Stage::new();
    let recon = stage.enter(Team::Red, Class::Recon);
    let mate = stage.enter(Team::Red, Class::Assault);
    let [near, far] = [(); 2].map(|()| stage.enter(Team::Blue, Class::Assault));
    stage.walk(recon, 60.0, 80.0);
    stage.walk(mate, 62.0, 80.0);
    stage.walk(near, 85.0, 80.0);
    stage.walk(far, 95.0, 80.0);
    stage.press(recon, Buttons::USE);
    stage.seconds(1.0);
    assert!(is_spotted(&stage, near));
    for slot in [far, mate, recon] {
        assert!(!is_spotted(&stage, slot), "{slot:?}");
    }
}

#[test]
fn crying_out_all_the_time_marks_no_more_than_now_and_then() {
    // A macro that spots on every tick while it sweeps over two enemies.
    let mut stage = Stage::with("", |config| config.combat.spotted_s = 0.1);
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Recon]);
    let mut marked = 0;
    for _ in 0..300 {
        stage.face(red, blue);
        stage.ask(red, Action::Spot);
        stage.step();
        marked += u32::from(is_spotted(&stage, blue));
    }
    assert!(marked > 0 && marked < 60, "marked in {marked} of 300 ticks");
}
