//! Leaving spares nobody the death, and takes no kill from who earned it.

use sortie_sim::command::{Action, Buttons};
use sortie_sim::config::Mode;
use sortie_sim::event::Event;
use sortie_sim::id::{Class, PlayerSlot, Team, Tick};
use sortie_sim::view::Status;

use crate::stage::{Stage, two_enemies};

/// Ways in which a player goes for good.
fn ways(stage: &Stage) -> [Action; 2] {
    [Action::Leave, Action::Lapse { since: Tick(stage.battle.tick().0 + 1) }]
}

fn hurt(stage: &mut Stage) -> [PlayerSlot; 2] {
    let [red, blue] = two_enemies(stage, [Class::Assault, Class::Assault]);
    stage.press(red, Buttons::FIRE);
    assert!((1..100).contains(&stage.row(blue).health_hp), "hurt, and not down");
    [red, blue]
}

fn leave(stage: &mut Stage, slot: PlayerSlot, way: Action) -> Vec<Event> {
    stage.ask(slot, way);
    let events = stage.step();
    assert_eq!(stage.row(slot).status, Status::Left);
    let lefts = events.iter().filter(|event| matches!(event, Event::Left { .. })).count();
    assert_eq!((lefts, events.last()), (1, Some(&Event::Left { player: slot })));
    events
}

#[test]
fn who_was_hurt_lately_falls_to_the_one_that_did_it() {
    for way in [0, 1] {
        let mut stage = Stage::new();
        let [red, blue] = hurt(&mut stage);
        stage.seconds(9.5);
        let tickets = stage.view().tickets;
        let weapon = stage.row(red).weapon;
        let way = ways(&stage)[way];
        let events = leave(&mut stage, blue, way);
        let downed = Event::Downed {
            victim: blue,
            killer: Some(red),
            weapon: Some(weapon),
            headshot: false,
        };
        let (died, left) = (Event::Died { victim: blue }, Event::Left { player: blue });
        assert_eq!(events, [downed, died, left]);
        assert_eq!(stage.view().tickets, [tickets[0], tickets[1] - 1]);
        let [killer, victim] = [red, blue].map(|slot| stage.row(slot).score);
        assert_eq!((killer.kills, killer.deaths, victim.deaths), (1, 0, 1));
        assert_eq!(killer.points, stage.battle.config().score.kill);
    }
}

#[test]
fn who_was_hurt_long_ago_dies_without_credit() {
    for way in [0, 1] {
        let mut stage = Stage::new();
        let [red, blue] = hurt(&mut stage);
        stage.seconds(10.1);
        let tickets = stage.view().tickets;
        let way = ways(&stage)[way];
        let events = leave(&mut stage, blue, way);
        let downed = Event::Downed { victim: blue, killer: None, weapon: None, headshot: false };
        let (died, left) = (Event::Died { victim: blue }, Event::Left { player: blue });
        assert_eq!(events, [downed, died, left]);
        assert_eq!(stage.view().tickets, [tickets[0], tickets[1] - 1]);
        let [other, victim] = [red, blue].map(|slot| stage.row(slot).score);
        assert_eq!((other.kills, other.assists, other.points, victim.deaths), (0, 0, 0, 1));
    }
}

#[test]
fn who_was_lost_is_judged_by_when_it_was_last_there() {
    for (hurt_before_s, credited) in [(9.5, true), (10.5, false)] {
        let mut stage = Stage::new();
        let [red, blue] = hurt(&mut stage);
        stage.seconds(hurt_before_s);
        let since = stage.battle.tick();
        // The grace time, in which nobody finds the soldier.
        stage.seconds(30.0);
        leave(&mut stage, blue, Action::Lapse { since });
        assert_eq!(stage.row(red).score.kills, u16::from(credited), "{hurt_before_s} s before");
        assert_eq!(stage.row(blue).score.deaths, 1);
    }
    // Hurt while it is away counts as well, and nobody is away into the future.
    for since in [Tick(0), Tick(u32::MAX)] {
        let mut stage = Stage::new();
        let [red, blue] = hurt(&mut stage);
        leave(&mut stage, blue, Action::Lapse { since });
        assert_eq!(stage.row(red).score.kills, 1);
    }
}

#[test]
fn the_last_enemy_counts_and_no_friend_nor_fall() {
    let mut stage = Stage::with("", |config| config.friendly_fire = true);
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Assault]);
    let other = stage.enter(Team::Red, Class::Recon);
    stage.walk(other, 70.0, 60.0);
    let friend = stage.enter(Team::Blue, Class::Assault);
    stage.walk(friend, 90.0, 60.0);
    for slot in [red, other, friend] {
        stage.input(slot).weapon_slot = 1;
        stage.seconds(1.0);
        stage.face(slot, blue);
        let before = stage.row(blue).health_hp;
        stage.press(slot, Buttons::FIRE);
        assert!(stage.row(blue).health_hp < before, "{slot:?} hits");
    }
    leave(&mut stage, blue, Action::Leave);
    let kills = [red, other, friend].map(|slot| stage.row(slot).score.kills);
    assert_eq!(kills, [0, 1, 0]);
    assert_eq!(stage.row(red).score.assists, 1, "who hurt it before helped");
}

#[test]
fn who_is_down_fell_already() {
    let mut stage = Stage::new();
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Assault]);
    stage.bring_down(red, blue);
    assert_eq!((stage.row(red).score.kills, stage.row(blue).score.deaths), (1, 0));
    let tickets = stage.view().tickets;
    let events = leave(&mut stage, blue, Action::Leave);
    assert_eq!(events, [Event::Died { victim: blue }, Event::Left { player: blue }]);
    assert_eq!((stage.row(red).score.kills, stage.row(blue).score.deaths), (1, 1));
    assert_eq!(stage.view().tickets, [tickets[0], tickets[1] - 1]);
}

#[test]
fn who_is_not_in_the_field_leaves_without_a_death() {
    let mut stage = Stage::new();
    let waiting = stage.join(Some(Team::Red), Class::Assault);
    let tickets = stage.view().tickets;
    let events = leave(&mut stage, waiting, Action::Leave);
    assert_eq!(events, [Event::Left { player: waiting }]);
    assert_eq!((stage.row(waiting).score.deaths, stage.view().tickets), (0, tickets));
    // And only once.
    stage.ask(waiting, Action::Leave);
    stage.ask(waiting, Action::Lapse { since: Tick(1) });
    assert_eq!(stage.step(), []);
}

#[test]
fn in_a_deathmatch_it_counts_for_the_team() {
    let mut stage = Stage::with("", |config| {
        config.mode = Mode::Deathmatch;
        config.objective.score_to_win = 1;
    });
    let [_, blue] = hurt(&mut stage);
    stage.ask(blue, Action::Leave);
    let events = stage.step();
    assert!(events.contains(&Event::RoundEnded { winner: Some(Team::Red) }), "{events:?}");
}

#[test]
fn after_the_round_nobody_dies_of_leaving() {
    let mut stage = Stage::with("", |config| {
        config.mode = Mode::Deathmatch;
        config.objective.score_to_win = 1;
    });
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Assault]);
    stage.bring_down(red, blue);
    stage.step();
    let before = stage.row(red).score;
    leave(&mut stage, red, Action::Leave);
    assert_eq!(stage.row(red).score, before);
}
