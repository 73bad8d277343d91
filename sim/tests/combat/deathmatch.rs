//! Deathmatch: the first team with so many kills wins.

use sortie_sim::command::{Action, SpawnAt};
use sortie_sim::config::Mode;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::{RoundState, Status};

use crate::fixture::{Fixture, two_enemies};

#[test]
fn the_first_team_to_the_score_wins() {
    let mut fixture = Fixture::with("", |config| {
        config.mode = Mode::Deathmatch;
        config.objective.score_to_win = 3;
    });
    let [red, blue] = two_enemies(&mut fixture, [Class::Recon, Class::Assault]);
    for kills in 1..=3 {
        if fixture.row(red).status != Status::Alive {
            fixture.come_in(red, SpawnAt::Base, Class::Recon);
            fixture.walk(red, 60.0, 80.0);
        }
        assert_eq!(fixture.view().round, RoundState::Running);
        fixture.bring_down(blue, red);
        fixture.ask(red, Action::GiveUp);
        fixture.step();
        assert_eq!(fixture.view().tickets, [0, kills]);
    }
    assert!(matches!(fixture.view().round, RoundState::Ended { winner: Some(Team::Blue), .. }));
}

#[test]
fn points_mean_nothing_here() {
    let mut fixture = Fixture::with("", |config| config.mode = Mode::Deathmatch);
    let red = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(red, 80.0, 20.0);
    fixture.seconds(10.0);
    assert!(fixture.view().points.iter().all(|point| point.owner.is_none()));
    assert_eq!(fixture.row(red).score.points, 0);
}
