//! Conquest: points are taken by presence, tickets run out, somebody wins.

use sortie_sim::command::{Action, SpawnAt};
use sortie_sim::event::Event;
use sortie_sim::id::{Class, PointId, Team};
use sortie_sim::view::{RoundState, Status};

use crate::stage::{Stage, two_enemies};

const A: PointId = PointId(0);

#[test]
fn a_soldier_alone_takes_a_point_in_eight_seconds() {
    let mut stage = Stage::new();
    let red = stage.enter(Team::Red, Class::Assault);
    stage.walk(red, 80.0, 20.0);
    stage.until("it is taken", |stage| stage.view().points[0].owner == Some(Team::Red));
    let tick_of = |stage: &Stage, wanted: &dyn Fn(&Event) -> bool| {
        stage.log.iter().find(|(_, event)| wanted(event)).map(|(tick, _)| tick.0)
    };
    let taken =
        tick_of(&stage, &|event| *event == Event::PointOwner { point: A, owner: Some(Team::Red) });
    let taken = taken.expect("told");
    // It entered the circle a little before it reached the middle, at 7 m/s.
    let way_s = 6.0 / 7.0;
    assert!(taken > 480 && way_s < 1.0);
    assert_eq!((stage.row(red).score.captures, stage.row(red).score.points), (1, 250));
    assert_eq!(stage.view().points[0].inside, [1, 0]);
    assert_eq!(stage.view().points[0].progress, -1.0);
}

/// Seconds that it takes `count` soldiers of Blue to turn Red's point neutral, and then theirs.
fn turn(count: usize) -> [f32; 2] {
    let mut stage = Stage::with("", |config| config.objective.tickets_min = 10_000);
    let red = stage.enter(Team::Red, Class::Assault);
    stage.walk(red, 80.0, 20.0);
    stage.until("it is Red's", |stage| stage.view().points[0].owner == Some(Team::Red));
    stage.walk(red, 60.0, 80.0);
    let blues: Vec<_> = (0..count).map(|_| stage.enter(Team::Blue, Class::Assault)).collect();
    for (number, &blue) in (0u8..).zip(&blues) {
        // Before the circle, one beside the other.
        stage.walk(blue, 79.0 + f32::from(number), 28.0);
    }
    for &blue in &blues {
        let input = stage.input(blue);
        input.yaw = sortie_sim::field::Yaw(0);
        input.move_forward = 127;
    }
    stage.until("they are in", |stage| {
        usize::from(stage.view().points[0].inside[Team::Blue.index()]) == count
    });
    stage.seconds(0.5);
    blues.iter().for_each(|&blue| stage.input(blue).move_forward = 0);
    let neutral = stage.until("it is neutral", |stage| stage.view().points[0].owner.is_none());
    let owned =
        stage.until("it is Blue's", |stage| stage.view().points[0].owner == Some(Team::Blue));
    let score = stage.row(blues[0]).score;
    assert_eq!((score.captures, score.points), (2, 150 + 250));
    [neutral + 30, owned].map(|ticks| ticks as f32 / 60.0)
}

#[test]
fn a_point_turns_neutral_first_and_faster_with_more() {
    let [neutral_s, owned_s] = turn(1);
    assert!((7.0..8.3).contains(&neutral_s), "{neutral_s}");
    assert!((7.9..8.2).contains(&owned_s), "{owned_s}");
    let [_, three_s] = turn(3);
    assert!((3.9..4.1).contains(&three_s), "three are twice as fast: {three_s}");
    let [_, seven_s] = turn(7);
    assert!((2.6..2.8).contains(&seven_s), "three times at most: {seven_s}");
}

#[test]
fn equal_numbers_hold_each_other_up() {
    let mut stage = Stage::new();
    let red = stage.enter(Team::Red, Class::Assault);
    let blue = stage.enter(Team::Blue, Class::Assault);
    stage.walk(red, 79.0, 30.0);
    stage.walk(blue, 81.0, 30.0);
    for slot in [red, blue] {
        stage.input(slot).yaw = sortie_sim::field::Yaw(0);
        stage.input(slot).move_forward = 127;
    }
    stage.seconds(1.5);
    for slot in [red, blue] {
        stage.input(slot).move_forward = 0;
    }
    stage.seconds(12.0);
    assert_eq!(stage.view().points[0].inside, [1, 1]);
    assert_eq!(stage.view().points[0].owner, None);
    assert!(stage.view().points[0].progress.abs() < 0.05);
}

#[test]
fn the_majority_of_points_bleeds_the_other_team() {
    let mut stage = Stage::new();
    let red = stage.enter(Team::Red, Class::Assault);
    let full = stage.view().tickets;
    assert_eq!(full, [200, 200]);
    stage.walk(red, 80.0, 20.0);
    stage.until("it is taken", |stage| stage.view().points[0].owner == Some(Team::Red));
    stage.walk(red, 60.0, 80.0);
    let before = stage.view().tickets;
    stage.seconds(20.0);
    let after = stage.view().tickets;
    assert_eq!(after[0], full[0], "the owner loses nothing");
    assert!(before[1] - after[1] == 10, "a ticket each two seconds: {before:?} {after:?}");
}

#[test]
fn a_round_ends_at_no_tickets_and_stands_still_then() {
    let mut stage = Stage::with("", |config| {
        config.objective.tickets_min = 2;
        config.objective.tickets_per_player = 0;
    });
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Recon]);
    for _ in 0..2 {
        assert_eq!(stage.view().round, RoundState::Running);
        if stage.row(blue).status != Status::Alive {
            stage.come_in(blue, SpawnAt::Base, Class::Recon);
            stage.walk(blue, 80.0, 80.0);
        }
        stage.bring_down(red, blue);
        stage.ask(blue, Action::GiveUp);
        stage.step();
    }
    let winner = Some(Team::Red);
    assert!(matches!(stage.view().round, RoundState::Ended { winner: Some(Team::Red), .. }));
    assert!(stage.happened(|event| *event == Event::RoundEnded { winner }));
    assert_eq!(stage.view().tickets, [2, 0]);
    // Nobody is hurt, nobody comes in, nothing is taken any more.
    let score = stage.row(red).score;
    stage.ask(blue, Action::Spawn { at: SpawnAt::Base, class: Class::Recon });
    stage.hold(red, sortie_sim::command::Buttons::FIRE);
    stage.seconds(3.0);
    assert_eq!(stage.row(blue).status, Status::Waiting);
    assert_eq!(stage.row(red).score, score);
    let ends = stage.log.iter().filter(|(_, event)| matches!(event, Event::RoundEnded { .. }));
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_round_ends_after_its_time_for_who_has_more_tickets() {
    let mut stage = Stage::with("", |config| config.objective.round_s = 60.0);
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Recon]);
    stage.bring_down(red, blue);
    stage.ask(blue, Action::GiveUp);
    stage.until("the time is up", |stage| stage.view().round != RoundState::Running);
    assert_eq!(stage.battle.tick().0, 3_600);
    assert!(matches!(stage.view().round, RoundState::Ended { winner: Some(Team::Red), .. }));
}

#[test]
fn ten_tickets_a_player() {
    let mut stage = Stage::new();
    for _ in 0..25 {
        stage.join(Some(Team::Red), Class::Assault);
    }
    assert_eq!(stage.view().tickets, [250, 200]);
}

#[test]
fn a_captured_point_is_a_place_to_come_in_and_a_lost_one_is_not() {
    let mut stage = Stage::new();
    let red = stage.enter(Team::Red, Class::Assault);
    let mate = stage.join(Some(Team::Red), Class::Medic);
    let distance = |stage: &Stage, slot, x: f32, z: f32| {
        let pos = stage.row(slot).body.pos;
        libm::sqrtf((pos.x - x) * (pos.x - x) + (pos.z - z) * (pos.z - z))
    };
    stage.come_in(mate, SpawnAt::Point(A), Class::Medic);
    assert!(distance(&stage, mate, 20.0, 80.0) <= 4.5, "nobody's yet: the base");
    stage.walk(red, 80.0, 20.0);
    stage.until("it is taken", |stage| stage.view().points[0].owner == Some(Team::Red));
    let another = stage.join(Some(Team::Red), Class::Medic);
    stage.come_in(another, SpawnAt::Point(A), Class::Medic);
    assert!(distance(&stage, another, 80.0, 20.0) <= 6.5);
    let nowhere = stage.join(Some(Team::Red), Class::Medic);
    stage.come_in(nowhere, SpawnAt::Point(PointId(200)), Class::Medic);
    assert!(distance(&stage, nowhere, 20.0, 80.0) <= 4.5, "no such point: the base");
    let blue = stage.join(Some(Team::Blue), Class::Recon);
    stage.come_in(blue, SpawnAt::Point(A), Class::Recon);
    assert!(distance(&stage, blue, 140.0, 80.0) <= 4.5, "not theirs: the base");
}

#[test]
fn waves_bring_all_who_wait_at_once() {
    let mut stage = Stage::with("", |config| config.objective.wave_s = 5.0);
    let slots: Vec<_> = (0..10).map(|_| stage.join(Some(Team::Red), Class::Assault)).collect();
    for &slot in &slots {
        stage.ask(slot, Action::Spawn { at: SpawnAt::Base, class: Class::Assault });
    }
    let ticks = stage.until("the first is in", |stage| stage.row(slots[0]).status == Status::Alive);
    assert!(ticks <= 300, "{ticks}");
    assert!(slots.iter().all(|&slot| stage.row(slot).status == Status::Alive));
    let told = stage.row(slots[0]).body.pos;
    assert!(slots[1..].iter().any(|&slot| stage.row(slot).body.pos != told), "spread out");
}

#[test]
fn whoever_does_not_mind_joins_the_smaller_team() {
    let mut stage = Stage::new();
    let slots: Vec<_> = (0..9).map(|_| stage.join(None, Class::Assault)).collect();
    let reds = slots.iter().filter(|&&slot| stage.row(slot).team == Team::Red).count();
    assert!((4..=5).contains(&reds), "{reds}");
    stage.ask(slots[0], Action::Leave);
    stage.ask(slots[2], Action::Leave);
    stage.step();
    let team = stage.row(slots[0]).team;
    let next = stage.join(None, Class::Assault);
    assert_eq!(stage.row(next).team, team, "leavers leave room");
}
