//! Medkits heal, ammunition boxes resupply, for the own team, for a while.

use sortie_sim::command::Buttons;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::{PropKind, Status};

use crate::stage::Stage;

#[test]
fn a_medkit_heals_mates_and_the_medic_scores() {
    let mut stage = Stage::with("", |config| {
        config.weapons[0].damage_hp = 30.0;
        config.weapons[0].damage_far_hp = 30.0;
    });
    let medic = stage.enter(Team::Red, Class::Medic);
    let mate = stage.enter(Team::Red, Class::Recon);
    let enemy = stage.enter(Team::Blue, Class::Assault);
    stage.walk(mate, 60.0, 80.0);
    stage.walk(medic, 58.5, 80.0);
    stage.walk(enemy, 80.0, 80.0);
    for _ in 0..3 {
        stage.face(enemy, mate);
        stage.press(enemy, Buttons::FIRE);
        stage.seconds(0.3);
    }
    let hurt_hp = stage.row(mate).health_hp;
    assert!(hurt_hp < 40 && stage.row(mate).status == Status::Alive, "{hurt_hp}");
    stage.press(medic, Buttons::USE);
    assert_eq!(stage.view().props.len(), 1);
    assert_eq!(stage.view().props[0].kind, PropKind::Medkit);
    stage.seconds(2.0);
    let after = stage.row(mate).health_hp;
    assert!((15..=25).contains(&(after - hurt_hp)), "10 a second: {hurt_hp} {after}");
    let points = stage.row(medic).score.points;
    assert_eq!(points, u32::from(after - hurt_hp), "one a hit point");
    stage.seconds(15.0);
    assert_eq!(stage.row(mate).health_hp, 100);
    assert_eq!(stage.row(medic).score.points, 50, "at most 50 for one kit");
    assert_eq!(stage.row(enemy).health_hp, 100);
    stage.seconds(10.0);
    assert!(stage.view().props.is_empty(), "it is used up or too old");
}

#[test]
fn an_ammunition_box_resupplies_mates() {
    let mut stage = Stage::new();
    let support = stage.enter(Team::Red, Class::Support);
    let mate = stage.enter(Team::Red, Class::Assault);
    stage.walk(mate, 60.0, 80.0);
    stage.walk(support, 59.0, 80.0);
    let full = stage.row(mate).reserve;
    stage.hold(mate, Buttons::FIRE);
    stage.until("a magazine is used up", |stage| stage.row(mate).reserve < full);
    stage.hold(mate, Buttons::default());
    stage.until("it is reloaded", |stage| !stage.row(mate).reloading);
    let short = stage.row(mate).reserve;
    assert_eq!(short, full - 30);
    stage.press(support, Buttons::USE);
    assert_eq!(stage.view().props[0].kind, PropKind::AmmoBox);
    stage.seconds(2.0);
    assert_eq!(stage.row(mate).reserve, full);
    assert_eq!(stage.row(support).score.points, 20);
}

#[test]
fn kits_are_counted() {
    let mut stage = Stage::new();
    let medic = stage.enter(Team::Red, Class::Medic);
    for _ in 0..12 {
        stage.press(medic, Buttons::USE);
        stage.seconds(1.0);
    }
    let most = stage.battle.config().classes[1].gadgets;
    assert_eq!(stage.view().props.len(), usize::from(most));
}

#[test]
fn an_assault_has_nothing_to_set_down() {
    let mut stage = Stage::new();
    let red = stage.enter(Team::Red, Class::Assault);
    stage.press(red, Buttons::USE);
    stage.steps(5);
    assert!(stage.view().props.is_empty());
}
