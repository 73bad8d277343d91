//! Down for twenty seconds: a medic helps up in two, a squad mate in five, others cannot.

use sortie_sim::command::{Action, Buttons};
use sortie_sim::event::Event;
use sortie_sim::id::{Class, PlayerSlot, Team};
use sortie_sim::view::Status;

use crate::fixture::Fixture;

/// A soldier down at (60, 80), a helper of `class` beside it; both in a squad when `squad`.
fn downed(class: Class, squad: bool) -> (Fixture, PlayerSlot, PlayerSlot) {
    let mut fixture = Fixture::new();
    let victim = fixture.enter(Team::Red, Class::Support);
    let helper = fixture.enter(Team::Red, class);
    let enemy = fixture.enter(Team::Blue, Class::Assault);
    if squad {
        fixture.ask(victim, Action::JoinSquad);
        fixture.ask(helper, Action::JoinSquad);
        fixture.step();
        assert_eq!(fixture.row(victim).squad, fixture.row(helper).squad);
        assert!(fixture.row(victim).squad.is_some());
    }
    fixture.walk(victim, 60.0, 80.0);
    fixture.walk(helper, 58.8, 80.0);
    fixture.walk(enemy, 80.0, 80.0);
    fixture.bring_down(enemy, victim);
    assert_eq!(fixture.row(victim).status, Status::Down);
    (fixture, victim, helper)
}

/// Ticks of holding the use button until the victim stands.
fn ticks_to_help(class: Class, squad: bool) -> u32 {
    let (mut fixture, victim, helper) = downed(class, squad);
    fixture.hold(helper, Buttons::USE);
    fixture.until("it stands", |fixture| fixture.row(victim).status == Status::Alive)
}

#[test]
fn a_medic_helps_up_in_two_seconds_and_a_squad_mate_in_five() {
    assert!(ticks_to_help(Class::Medic, false).abs_diff(120) <= 1);
    assert!(ticks_to_help(Class::Medic, true).abs_diff(120) <= 1);
    assert!(ticks_to_help(Class::Assault, true).abs_diff(300) <= 1);
}

#[test]
fn who_is_helped_up_can_fight_and_the_helper_scores() {
    let (mut fixture, victim, helper) = downed(Class::Medic, false);
    let tickets = fixture.view().tickets;
    fixture.hold(helper, Buttons::USE);
    fixture.until("it stands", |fixture| fixture.row(victim).status == Status::Alive);
    let score = fixture.row(helper).score;
    assert_eq!((score.revives, score.points), (1, 75));
    assert!((1..100).contains(&fixture.row(victim).health_hp));
    assert_eq!(fixture.row(victim).score.deaths, 0);
    assert_eq!(fixture.view().tickets, tickets, "nobody died");
    assert!(fixture.happened(|event| *event == Event::Revived { victim, medic: helper }));
    let start = fixture.row(victim).body.pos;
    fixture.input(victim).move_forward = 127;
    fixture.seconds(1.0);
    assert!((fixture.row(victim).body.pos - start).length() > 3.0);
}

#[test]
fn a_stranger_cannot_help() {
    let (mut fixture, victim, helper) = downed(Class::Assault, false);
    fixture.hold(helper, Buttons::USE);
    fixture.seconds(10.0);
    assert_eq!(fixture.row(victim).status, Status::Down);
}

#[test]
fn letting_go_begins_anew() {
    let (mut fixture, victim, helper) = downed(Class::Medic, false);
    for _ in 0..4 {
        fixture.hold(helper, Buttons::USE);
        fixture.seconds(1.5);
        fixture.hold(helper, Buttons::default());
        fixture.step();
    }
    assert_eq!(fixture.row(victim).status, Status::Down);
}

#[test]
fn the_downed_lie_still_and_do_nothing() {
    let (mut fixture, victim, _) = downed(Class::Assault, false);
    let (pos, shots) = (fixture.row(victim).body.pos, fixture.row(victim).score.shots);
    fixture.input(victim).move_forward = 127;
    fixture.hold(victim, Buttons::ALL);
    fixture.seconds(2.0);
    assert!((fixture.row(victim).body.pos - pos).length() < 0.05);
    assert_eq!(fixture.row(victim).score.shots, shots);
    assert!(fixture.view().props.is_empty());
}

#[test]
fn after_twenty_seconds_it_is_over() {
    let (mut fixture, victim, _) = downed(Class::Assault, false);
    let ticks = fixture.until("it dies", |fixture| fixture.row(victim).status == Status::Waiting);
    assert!(ticks.abs_diff(1_200) <= 1, "{ticks}");
    assert_eq!(fixture.row(victim).score.deaths, 1);
}
