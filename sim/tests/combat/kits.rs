//! Medkits heal, ammunition boxes resupply, for the own team, for a while.

use sortie_sim::command::Buttons;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::{PropKind, Status};

use crate::fixture::Fixture;

#[test]
fn a_medkit_heals_mates_and_the_medic_scores() {
    let mut fixture = Fixture::with("", |config| {
        config.weapons[0].damage_hp = 30.0;
        config.weapons[0].damage_far_hp = 30.0;
    });
    let medic = fixture.enter(Team::Red, Class::Medic);
    let mate = fixture.enter(Team::Red, Class::Recon);
    let enemy = fixture.enter(Team::Blue, Class::Assault);
    fixture.walk(mate, 60.0, 80.0);
    fixture.walk(medic, 58.5, 80.0);
    fixture.walk(enemy, 80.0, 80.0);
    for _ in 0..3 {
        fixture.face(enemy, mate);
        fixture.press(enemy, Buttons::FIRE);
        fixture.seconds(0.3);
    }
    let hurt_hp = fixture.row(mate).health_hp;
    assert!(hurt_hp < 40 && fixture.row(mate).status == Status::Alive, "{hurt_hp}");
    fixture.press(medic, Buttons::USE);
    assert_eq!(fixture.view().props.len(), 1);
    assert_eq!(fixture.view().props[0].kind, PropKind::Medkit);
    fixture.seconds(2.0);
    let after = fixture.row(mate).health_hp;
    assert!((15..=25).contains(&(after - hurt_hp)), "10 a second: {hurt_hp} {after}");
    let points = fixture.row(medic).score.points;
    assert_eq!(points, u32::from(after - hurt_hp), "one a hit point");
    fixture.seconds(15.0);
    assert_eq!(fixture.row(mate).health_hp, 100);
    assert_eq!(fixture.row(medic).score.points, 50, "at most 50 for one kit");
    assert_eq!(fixture.row(enemy).health_hp, 100);
    fixture.seconds(10.0);
    assert!(fixture.view().props.is_empty(), "it is used up or too old");
}

#[test]
fn an_ammunition_box_resupplies_mates() {
    let mut fixture = Fixture::new();
    let support = fixture.enter(Team::Red, Class::Support);
    let mate = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(mate, 60.0, 80.0);
    fixture.walk(support, 59.0, 80.0);
    let full = fixture.row(mate).reserve;
    fixture.hold(mate, Buttons::FIRE);
    fixture.until("a magazine is used up", |fixture| fixture.row(mate).reserve < full);
    fixture.hold(mate, Buttons::default());
    fixture.until("it is reloaded", |fixture| !fixture.row(mate).reloading);
    let short = fixture.row(mate).reserve;
    assert_eq!(short, full - 30);
    fixture.press(support, Buttons::USE);
    assert_eq!(fixture.view().props[0].kind, PropKind::AmmoBox);
    fixture.seconds(2.0);
    assert_eq!(fixture.row(mate).reserve, full);
    assert_eq!(fixture.row(support).score.points, 20);
}

#[test]
fn kits_are_counted() {
    let mut fixture = Fixture::new();
    let medic = fixture.enter(Team::Red, Class::Medic);
    for _ in 0..12 {
        fixture.press(medic, Buttons::USE);
        fixture.seconds(1.0);
    }
    let most = fixture.battle.config().classes[1].gadgets;
    assert_eq!(fixture.view().props.len(), usize::from(most));
}

#[test]
fn an_assault_has_nothing_to_set_down() {
    let mut fixture = Fixture::new();
    let red = fixture.enter(Team::Red, Class::Assault);
    fixture.press(red, Buttons::USE);
    fixture.steps(5);
    assert!(fixture.view().props.is_empty());
}
