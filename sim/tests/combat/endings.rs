//! How battles end when their time is up, and what comes after a round.

use sortie_sim::command::Action;
use sortie_sim::config::{Mode, SimConfig};
use sortie_sim::event::Event;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::{RoundState, Status};

use crate::fixture::{Fixture, two_enemies};

/// A fixture whose battle lasts so many seconds.
fn lasting(seconds: f32, tune: impl FnOnce(&mut SimConfig)) -> Fixture {
    Fixture::with("", |config| {
        config.objective.battle_s = seconds;
        tune(config);
    })
}

/// Plays to the end of the battle; gives the winner.
fn play_out(fixture: &mut Fixture) -> Option<Team> {
    let last = fixture.battle.last_tick().expect("its time is limited");
    while fixture.battle.tick() < last {
        assert_eq!(fixture.view().round, RoundState::Running);
        fixture.step();
    }
    assert!(fixture.battle.is_over());
    let RoundState::Ended { winner, at } = fixture.view().round else { panic!("it goes on") };
    assert_eq!((winner, at), (fixture.battle.winner(), last));
    assert!(fixture.happened(|event| *event == Event::RoundEnded { winner }), "all are told");
    winner
}

#[test]
fn tickets_decide_when_the_time_of_a_battle_is_up() {
    let mut fixture = lasting(40.0, |_| {});
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault; 2]);
    fixture.bring_down(blue, red);
    fixture.ask(red, Action::GiveUp);
    assert_eq!(fixture.battle.winner(), None, "not yet");
    assert_eq!(play_out(&mut fixture), Some(Team::Blue));
}

#[test]
fn points_decide_between_equal_tickets() {
    let mut fixture = lasting(40.0, |config| config.objective.bleed_s = 600.0);
    let red = fixture.enter(Team::Red, Class::Assault);
    fixture.enter(Team::Blue, Class::Assault);
    fixture.walk(red, 80.0, 20.0);
    assert_eq!(play_out(&mut fixture), Some(Team::Red));
    assert_eq!(fixture.view().tickets, [200, 200]);
}

#[test]
fn a_battle_that_nobody_leads_is_a_draw() {
    let mut fixture = lasting(20.0, |_| {});
    two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    assert_eq!(play_out(&mut fixture), None);
}

#[test]
fn kills_decide_a_deathmatch_whose_time_is_up() {
    let mut fixture = lasting(30.0, |config| config.mode = Mode::Deathmatch);
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    fixture.bring_down(red, blue);
    assert_eq!(play_out(&mut fixture), Some(Team::Red));
}

#[test]
fn rounds_follow_each_other_and_the_battle_goes_to_who_won_more() {
    let mut fixture = Fixture::with("", |config| {
        config.objective.rounds = 3;
        config.objective.pause_s = 2.0;
        config.objective.tickets_min = 1;
        config.objective.tickets_per_player = 0;
    });
    let mut ends = Vec::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault; 2]);
    for round in 0..3_u32 {
        if round > 0 {
            fixture.come_in(red, sortie_sim::command::SpawnAt::Base, Class::Assault);
            fixture.come_in(blue, sortie_sim::command::SpawnAt::Base, Class::Assault);
            fixture.walk(red, 60.0, 80.0);
            fixture.walk(blue, 80.0, 80.0);
        }
        // Blue wins the second round, Red the others.
        let (winner, loser) = if round == 1 { (blue, red) } else { (red, blue) };
        fixture.bring_down(winner, loser);
        fixture.ask(loser, Action::GiveUp);
        fixture.step();
        let winner = Some(fixture.row(winner).team);
        let RoundState::Ended { winner: told, at } = fixture.view().round else { panic!("no end") };
        assert_eq!(told, winner);
        ends.push(at.0);
        assert_eq!(fixture.battle.is_over(), round == 2);
        if round < 2 {
            let score = fixture.row(red).score;
            fixture.until("the next begins", |fixture| fixture.view().round == RoundState::Running);
            assert_eq!(fixture.battle.tick().0 - at.0, 120, "after the pause");
            assert!(fixture.happened(|event| *event == Event::RoundBegan { before: round + 1 }));
            let view = fixture.view();
            assert!(view.soldiers.iter().all(|row| row.status == Status::Waiting));
            assert!(view.points.iter().all(|point| *point == Default::default()));
            assert_eq!(view.tickets, [1, 1], "full again");
            assert_eq!(fixture.row(red).score, score, "what was done stays");
        }
    }
    assert_eq!(fixture.battle.winner(), Some(Team::Red), "two rounds of three");
    fixture.seconds(5.0);
    assert_eq!(fixture.view().round, RoundState::Ended { winner: Some(Team::Red), at: at(&ends) });
}

fn at(ends: &[u32]) -> sortie_sim::id::Tick {
    sortie_sim::id::Tick(ends[ends.len() - 1])
}

#[test]
fn no_round_begins_after_the_end_of_the_battle() {
    let mut fixture = Fixture::with("", |config| {
        config.objective.rounds = 0;
        config.objective.round_s = 10.0;
        config.objective.pause_s = 4.0;
        config.objective.battle_s = 38.0;
    });
    let mut began = Vec::new();
    while !fixture.battle.is_over() {
        for event in fixture.step() {
            if let Event::RoundBegan { before } = event {
                began.push((fixture.battle.tick().0 / 60, before));
            }
        }
    }
    // From 0 to 10, from 14 to 24, from 28 to 38: the third ends with the battle.
    assert_eq!(began, [(14, 1), (28, 2)]);
    assert_eq!(fixture.battle.tick().0, 38 * 60);
}

#[test]
fn nobody_waits_for_the_first_life_of_a_round() {
    let mut fixture = Fixture::with("", |config| config.objective.wave_s = 60.0);
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    assert!(fixture.battle.tick().0 < 20 * 60, "both came in at once");
    fixture.bring_down(red, blue);
    fixture.ask(blue, Action::GiveUp);
    fixture.step();
    let died = fixture.battle.tick().0;
    let spawn = Action::Spawn { at: sortie_sim::command::SpawnAt::Base, class: Class::Recon };
    fixture.ask(blue, spawn);
    fixture.step();
    let told = fixture.row(blue).spawns_at.expect("it waits").0;
    let back = fixture.until("it is back", |fixture| fixture.row(blue).status == Status::Alive);
    assert!(back > 30, "the next life comes with a wave: {back} ticks after {died}");
    assert_eq!(fixture.battle.tick().0, told);
}
