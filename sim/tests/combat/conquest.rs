//! Conquest: points are taken by presence, tickets run out, somebody wins.

use sortie_sim::command::{Action, SpawnAt};
use sortie_sim::event::Event;
use sortie_sim::id::{Class, PointId, Team};
use sortie_sim::view::{RoundState, Status};

use crate::fixture::{Fixture, two_enemies};

const A: PointId = PointId(0);

#[test]
fn a_soldier_alone_takes_a_point_in_eight_seconds() {
    let mut fixture = Fixture::new();
    let red = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(red, 80.0, 20.0);
    fixture.until("it is taken", |fixture| fixture.view().points[0].owner == Some(Team::Red));
    let tick_of = |fixture: &Fixture, wanted: &dyn Fn(&Event) -> bool| {
        fixture.log.iter().find(|(_, event)| wanted(event)).map(|(tick, _)| tick.0)
    };
    let taken = tick_of(&fixture, &|event| {
        *event == Event::PointOwner { point: A, owner: Some(Team::Red) }
    });
    let taken = taken.expect("told");
    // It entered the circle a little before it reached the middle, at 7 m/s.
    let way_s = 6.0 / 7.0;
    assert!(taken > 480 && way_s < 1.0);
    assert_eq!((fixture.row(red).score.captures, fixture.row(red).score.points), (1, 250));
    assert_eq!(fixture.view().points[0].inside, [1, 0]);
    assert_eq!(fixture.view().points[0].progress, -1.0);
}

/// Seconds that it takes `count` soldiers of Blue to turn Red's point neutral, and then theirs.
fn turn(count: usize) -> [f32; 2] {
    let mut fixture = Fixture::with("", |config| config.objective.tickets_min = 10_000);
    let red = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(red, 80.0, 20.0);
    fixture.until("it is Red's", |fixture| fixture.view().points[0].owner == Some(Team::Red));
    fixture.walk(red, 60.0, 80.0);
    let blues: Vec<_> = (0..count).map(|_| fixture.enter(Team::Blue, Class::Assault)).collect();
    for (number, &blue) in (0u8..).zip(&blues) {
        // Before the circle, one beside the other.
        fixture.walk(blue, 79.0 + f32::from(number), 28.0);
    }
    for &blue in &blues {
        let input = fixture.input(blue);
        input.yaw = sortie_sim::field::Yaw(0);
        input.move_forward = 127;
    }
    fixture.until("they are in", |fixture| {
        usize::from(fixture.view().points[0].inside[Team::Blue.index()]) == count
    });
    fixture.seconds(0.5);
    blues.iter().for_each(|&blue| fixture.input(blue).move_forward = 0);
    let neutral =
        fixture.until("it is neutral", |fixture| fixture.view().points[0].owner.is_none());
    let owned =
        fixture.until("it is Blue's", |fixture| fixture.view().points[0].owner == Some(Team::Blue));
    let score = fixture.row(blues[0]).score;
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
    let mut fixture = Fixture::new();
    let red = fixture.enter(Team::Red, Class::Assault);
    let blue = fixture.enter(Team::Blue, Class::Assault);
    fixture.walk(red, 79.0, 30.0);
    fixture.walk(blue, 81.0, 30.0);
    for slot in [red, blue] {
        fixture.input(slot).yaw = sortie_sim::field::Yaw(0);
        fixture.input(slot).move_forward = 127;
    }
    fixture.seconds(1.5);
    for slot in [red, blue] {
        fixture.input(slot).move_forward = 0;
    }
    fixture.seconds(12.0);
    assert_eq!(fixture.view().points[0].inside, [1, 1]);
    assert_eq!(fixture.view().points[0].owner, None);
    assert!(fixture.view().points[0].progress.abs() < 0.05);
}

#[test]
fn the_majority_of_points_bleeds_the_other_team() {
    let mut fixture = Fixture::new();
    let red = fixture.enter(Team::Red, Class::Assault);
    let full = fixture.view().tickets;
    assert_eq!(full, [200, 200]);
    fixture.walk(red, 80.0, 20.0);
    fixture.until("it is taken", |fixture| fixture.view().points[0].owner == Some(Team::Red));
    fixture.walk(red, 60.0, 80.0);
    let before = fixture.view().tickets;
    fixture.seconds(20.0);
    let after = fixture.view().tickets;
    assert_eq!(after[0], full[0], "the owner loses nothing");
    assert!(before[1] - after[1] == 10, "a ticket each two seconds: {before:?} {after:?}");
}

#[test]
fn a_round_ends_at_no_tickets_and_stands_still_then() {
    let mut fixture = Fixture::with("", |config| {
        config.objective.tickets_min = 2;
        config.objective.tickets_per_player = 0;
    });
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    for _ in 0..2 {
        assert_eq!(fixture.view().round, RoundState::Running);
        if fixture.row(blue).status != Status::Alive {
            fixture.come_in(blue, SpawnAt::Base, Class::Recon);
            fixture.walk(blue, 80.0, 80.0);
        }
        fixture.bring_down(red, blue);
        fixture.ask(blue, Action::GiveUp);
        fixture.step();
    }
    let winner = Some(Team::Red);
    assert!(matches!(fixture.view().round, RoundState::Ended { winner: Some(Team::Red), .. }));
    assert!(fixture.happened(|event| *event == Event::RoundEnded { winner }));
    assert_eq!(fixture.view().tickets, [2, 0]);
    // Nobody is hurt, nobody comes in, nothing is taken any more.
    let score = fixture.row(red).score;
    fixture.ask(blue, Action::Spawn { at: SpawnAt::Base, class: Class::Recon });
    fixture.hold(red, sortie_sim::command::Buttons::FIRE);
    fixture.seconds(3.0);
    assert_eq!(fixture.row(blue).status, Status::Waiting);
    assert_eq!(fixture.row(red).score, score);
    let ends = fixture.log.iter().filter(|(_, event)| matches!(event, Event::RoundEnded { .. }));
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_round_ends_after_its_time_for_who_has_more_tickets() {
    let mut fixture = Fixture::with("", |config| config.objective.round_s = 60.0);
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    fixture.bring_down(red, blue);
    fixture.ask(blue, Action::GiveUp);
    fixture.until("the time is up", |fixture| fixture.view().round != RoundState::Running);
    assert_eq!(fixture.battle.tick().0, 3_600);
    assert!(matches!(fixture.view().round, RoundState::Ended { winner: Some(Team::Red), .. }));
}

#[test]
fn ten_tickets_a_player() {
    let mut fixture = Fixture::new();
    for _ in 0..25 {
        fixture.join(Some(Team::Red), Class::Assault);
    }
    assert_eq!(fixture.view().tickets, [250, 200]);
}

#[test]
fn a_captured_point_is_a_place_to_come_in_and_a_lost_one_is_not() {
    let mut fixture = Fixture::new();
    let red = fixture.enter(Team::Red, Class::Assault);
    let mate = fixture.join(Some(Team::Red), Class::Medic);
    let distance = |fixture: &Fixture, slot, x: f32, z: f32| {
        let pos = fixture.row(slot).body.pos;
        libm::sqrtf((pos.x - x) * (pos.x - x) + (pos.z - z) * (pos.z - z))
    };
    fixture.come_in(mate, SpawnAt::Point(A), Class::Medic);
    assert!(distance(&fixture, mate, 20.0, 80.0) <= 4.5, "nobody's yet: the base");
    fixture.walk(red, 80.0, 20.0);
    fixture.until("it is taken", |fixture| fixture.view().points[0].owner == Some(Team::Red));
    let another = fixture.join(Some(Team::Red), Class::Medic);
    fixture.come_in(another, SpawnAt::Point(A), Class::Medic);
    assert!(distance(&fixture, another, 80.0, 20.0) <= 6.5);
    let nowhere = fixture.join(Some(Team::Red), Class::Medic);
    fixture.come_in(nowhere, SpawnAt::Point(PointId(200)), Class::Medic);
    assert!(distance(&fixture, nowhere, 20.0, 80.0) <= 4.5, "no such point: the base");
    let blue = fixture.join(Some(Team::Blue), Class::Recon);
    fixture.come_in(blue, SpawnAt::Point(A), Class::Recon);
    assert!(distance(&fixture, blue, 140.0, 80.0) <= 4.5, "not theirs: the base");
}

#[test]
fn waves_bring_all_who_wait_at_once() {
    let mut fixture = Fixture::with("", |config| config.objective.wave_s = 5.0);
    let slots: Vec<_> = (0..10).map(|_| fixture.join(Some(Team::Red), Class::Assault)).collect();
    for &slot in &slots {
        fixture.ask(slot, Action::Spawn { at: SpawnAt::Base, class: Class::Assault });
    }
    let ticks =
        fixture.until("the first is in", |fixture| fixture.row(slots[0]).status == Status::Alive);
    assert!(ticks <= 300, "{ticks}");
    assert!(slots.iter().all(|&slot| fixture.row(slot).status == Status::Alive));
    let told = fixture.row(slots[0]).body.pos;
    assert!(slots[1..].iter().any(|&slot| fixture.row(slot).body.pos != told), "spread out");
}

#[test]
fn whoever_does_not_mind_joins_the_smaller_team() {
    let mut fixture = Fixture::new();
    let slots: Vec<_> = (0..9).map(|_| fixture.join(None, Class::Assault)).collect();
    let reds = slots.iter().filter(|&&slot| fixture.row(slot).team == Team::Red).count();
    assert!((4..=5).contains(&reds), "{reds}");
    fixture.ask(slots[0], Action::Leave);
    fixture.ask(slots[2], Action::Leave);
    fixture.step();
    let team = fixture.row(slots[0]).team;
    let next = fixture.join(None, Class::Assault);
    assert_eq!(fixture.row(next).team, team, "leavers leave room");
}
