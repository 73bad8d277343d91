//! Deathmatch: the first team with so many kills wins.

use sortie_sim::command::{Action, SpawnAt};
use sortie_sim::config::Mode;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::{RoundState, Status};

use crate::stage::{Stage, two_enemies};

#[test]
fn the_first_team_to_the_score_wins() {
    let mut stage = Stage::with("", |config| {
        config.mode = Mode::Deathmatch;
        config.objective.score_to_win = 3;
    });
    let [red, blue] = two_enemies(&mut stage, [Class::Recon, Class::Assault]);
    for kills in 1..=3 {
        if stage.row(red).status != Status::Alive {
            stage.come_in(red, SpawnAt::Base, Class::Recon);
            stage.walk(red, 60.0, 80.0);
        }
        assert_eq!(stage.view().round, RoundState::Running);
        stage.bring_down(blue, red);
        stage.ask(red, Action::GiveUp);
        stage.step();
        assert_eq!(stage.view().tickets, [0, kills]);
    }
    assert!(matches!(stage.view().round, RoundState::Ended { winner: Some(Team::Blue), .. }));
}

#[test]
fn points_mean_nothing_here() {
    let mut stage = Stage::with("", |config| config.mode = Mode::Deathmatch);
    let red = stage.enter(Team::Red, Class::Assault);
    stage.walk(red, 80.0, 20.0);
    stage.seconds(10.0);
    assert!(stage.view().points.iter().all(|point| point.owner.is_none()));
    assert_eq!(stage.row(red).score.points, 0);
}
