//! Down for twenty seconds: a medic helps up in two, a squad mate in five, others cannot.

use sortie_sim::command::{Action, Buttons};
use sortie_sim::event::Event;
use sortie_sim::id::{Class, PlayerSlot, Team};
use sortie_sim::view::Status;

use crate::stage::Stage;

/// A soldier down at (60, 80), a helper of `class` beside it; both in a squad when `squad`.
fn downed(class: Class, squad: bool) -> (Stage, PlayerSlot, PlayerSlot) {
    let mut stage = Stage::new();
    let victim = stage.enter(Team::Red, Class::Support);
    let helper = stage.enter(Team::Red, class);
    let enemy = stage.enter(Team::Blue, Class::Assault);
    if squad {
        stage.ask(victim, Action::JoinSquad);
        stage.ask(helper, Action::JoinSquad);
        stage.step();
        assert_eq!(stage.row(victim).squad, stage.row(helper).squad);
        assert!(stage.row(victim).squad.is_some());
    }
    stage.walk(victim, 60.0, 80.0);
    stage.walk(helper, 58.8, 80.0);
    stage.walk(enemy, 80.0, 80.0);
    stage.bring_down(enemy, victim);
    assert_eq!(stage.row(victim).status, Status::Down);
    (stage, victim, helper)
}

/// Ticks of holding the use button until the victim stands.
fn ticks_to_help(class: Class, squad: bool) -> u32 {
    let (mut stage, victim, helper) = downed(class, squad);
    stage.hold(helper, Buttons::USE);
    stage.until("it stands", |stage| stage.row(victim).status == Status::Alive)
}

#[test]
fn a_medic_helps_up_in_two_seconds_and_a_squad_mate_in_five() {
    assert!(ticks_to_help(Class::Medic, false).abs_diff(120) <= 1);
    assert!(ticks_to_help(Class::Medic, true).abs_diff(120) <= 1);
    assert!(ticks_to_help(Class::Assault, true).abs_diff(300) <= 1);
}

#[test]
fn who_is_helped_up_can_fight_and_the_helper_scores() {
    let (mut stage, victim, helper) = downed(Class::Medic, false);
    let tickets = stage.view().tickets;
    stage.hold(helper, Buttons::USE);
    stage.until("it stands", |stage| stage.row(victim).status == Status::Alive);
    let score = stage.row(helper).score;
    assert_eq!((score.revives, score.points), (1, 75));
    assert!((1..100).contains(&stage.row(victim).health_hp));
    assert_eq!(stage.row(victim).score.deaths, 0);
    assert_eq!(stage.view().tickets, tickets, "nobody died");
    assert!(stage.happened(|event| *event == Event::Revived { victim, medic: helper }));
    let start = stage.row(victim).body.pos;
    stage.input(victim).move_forward = 127;
    stage.seconds(1.0);
    assert!((stage.row(victim).body.pos - start).length() > 3.0);
}

#[test]
fn a_stranger_cannot_help() {
    let (mut stage, victim, helper) = downed(Class::Assault, false);
    stage.hold(helper, Buttons::USE);
    stage.seconds(10.0);
    assert_eq!(stage.row(victim).status, Status::Down);
}

#[test]
fn letting_go_begins_anew() {
    let (mut stage, victim, helper) = downed(Class::Medic, false);
    for _ in 0..4 {
        stage.hold(helper, Buttons::USE);
        stage.seconds(1.5);
        stage.hold(helper, Buttons::default());
        stage.step();
    }
    assert_eq!(stage.row(victim).status, Status::Down);
}

#[test]
fn the_downed_lie_still_and_do_nothing() {
    let (mut stage, victim, _) = downed(Class::Assault, false);
    let (pos, shots) = (stage.row(victim).body.pos, stage.row(victim).score.shots);
    stage.input(victim).move_forward = 127;
    stage.hold(victim, Buttons::ALL);
    stage.seconds(2.0);
    assert!((stage.row(victim).body.pos - pos).length() < 0.05);
    assert_eq!(stage.row(victim).score.shots, shots);
    assert!(stage.view().props.is_empty());
}

#[test]
fn after_twenty_seconds_it_is_over() {
    let (mut stage, victim, _) = downed(Class::Assault, false);
    let ticks = stage.until("it dies", |stage| stage.row(victim).status == Status::Waiting);
    assert!(ticks.abs_diff(1_200) <= 1, "{ticks}");
    assert_eq!(stage.row(victim).score.deaths, 1);
}
