//! Leaving spares nobody the death, and takes no kill from who earned it.

use sortie_sim::command::{Action, Buttons};
use sortie_sim::config::Mode;
use sortie_sim::event::Event;
use sortie_sim::id::{Class, PlayerSlot, Team, Tick};
use sortie_sim::view::Status;

use crate::fixture::{Fixture, two_enemies};

/// Ways in which a player goes for good.
fn ways(fixture: &Fixture) -> [Action; 2] {
    [Action::Leave, Action::Lapse { since: Tick(fixture.battle.tick().0 + 1) }]
}

fn hurt(fixture: &mut Fixture) -> [PlayerSlot; 2] {
    let [red, blue] = two_enemies(fixture, [Class::Assault, Class::Assault]);
    fixture.press(red, Buttons::FIRE);
    assert!((1..100).contains(&fixture.row(blue).health_hp), "hurt, and not down");
    [red, blue]
}

fn leave(fixture: &mut Fixture, slot: PlayerSlot, way: Action) -> Vec<Event> {
    fixture.ask(slot, way);
    let events = fixture.step();
    assert_eq!(fixture.row(slot).status, Status::Left);
    let lefts = events.iter().filter(|event| matches!(event, Event::Left { .. })).count();
    assert_eq!((lefts, events.last()), (1, Some(&Event::Left { player: slot })));
    events
}

#[test]
fn who_was_hurt_lately_falls_to_the_one_that_did_it() {
    for way in [0, 1] {
        let mut fixture = Fixture::new();
        let [red, blue] = hurt(&mut fixture);
        fixture.seconds(9.5);
        let tickets = fixture.view().tickets;
        let weapon = fixture.row(red).weapon;
        let way = ways(&fixture)[way];
        let events = leave(&mut fixture, blue, way);
        let downed = Event::Downed {
            victim: blue,
            killer: Some(red),
            weapon: Some(weapon),
            headshot: false,
        };
        let (died, left) = (Event::Died { victim: blue }, Event::Left { player: blue });
        assert_eq!(events, [downed, died, left]);
        assert_eq!(fixture.view().tickets, [tickets[0], tickets[1] - 1]);
        let [killer, victim] = [red, blue].map(|slot| fixture.row(slot).score);
        assert_eq!((killer.kills, killer.deaths, victim.deaths), (1, 0, 1));
        assert_eq!(killer.points, fixture.battle.config().score.kill);
    }
}

#[test]
fn who_was_hurt_long_ago_dies_without_credit() {
    for way in [0, 1] {
        let mut fixture = Fixture::new();
        let [red, blue] = hurt(&mut fixture);
        fixture.seconds(10.1);
        let tickets = fixture.view().tickets;
        let way = ways(&fixture)[way];
        let events = leave(&mut fixture, blue, way);
        let downed = Event::Downed { victim: blue, killer: None, weapon: None, headshot: false };
        let (died, left) = (Event::Died { victim: blue }, Event::Left { player: blue });
        assert_eq!(events, [downed, died, left]);
        assert_eq!(fixture.view().tickets, [tickets[0], tickets[1] - 1]);
        let [other, victim] = [red, blue].map(|slot| fixture.row(slot).score);
        assert_eq!((other.kills, other.assists, other.points, victim.deaths), (0, 0, 0, 1));
    }
}

#[test]
fn who_was_lost_is_judged_by_when_it_was_last_there() {
    for (hurt_before_s, credited) in [(9.5, true), (10.5, false)] {
        let mut fixture = Fixture::new();
        let [red, blue] = hurt(&mut fixture);
        fixture.seconds(hurt_before_s);
        let since = fixture.battle.tick();
        // The grace time, in which nobody finds the soldier.
        fixture.seconds(30.0);
        leave(&mut fixture, blue, Action::Lapse { since });
        assert_eq!(fixture.row(red).score.kills, u16::from(credited), "{hurt_before_s} s before");
        assert_eq!(fixture.row(blue).score.deaths, 1);
    }
    // Hurt while it is away counts as well, and nobody is away into the future.
    for since in [Tick(0), Tick(u32::MAX)] {
        let mut fixture = Fixture::new();
        let [red, blue] = hurt(&mut fixture);
        leave(&mut fixture, blue, Action::Lapse { since });
        assert_eq!(fixture.row(red).score.kills, 1);
    }
}

#[test]
fn the_last_enemy_counts_and_no_friend_nor_fall() {
    let mut fixture = Fixture::with("", |config| config.friendly_fire = true);
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Assault]);
    let other = fixture.enter(Team::Red, Class::Recon);
    fixture.walk(other, 70.0, 60.0);
    let friend = fixture.enter(Team::Blue, Class::Assault);
    fixture.walk(friend, 90.0, 60.0);
    for slot in [red, other, friend] {
        fixture.input(slot).weapon_slot = 1;
        fixture.seconds(1.0);
        fixture.face(slot, blue);
        let before = fixture.row(blue).health_hp;
        fixture.press(slot, Buttons::FIRE);
        assert!(fixture.row(blue).health_hp < before, "{slot:?} hits");
    }
    leave(&mut fixture, blue, Action::Leave);
    let kills = [red, other, friend].map(|slot| fixture.row(slot).score.kills);
    assert_eq!(kills, [0, 1, 0]);
    assert_eq!(fixture.row(red).score.assists, 1, "who hurt it before helped");
}

#[test]
fn who_is_down_fell_already() {
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Assault]);
    fixture.bring_down(red, blue);
    assert_eq!((fixture.row(red).score.kills, fixture.row(blue).score.deaths), (1, 0));
    let tickets = fixture.view().tickets;
    let events = leave(&mut fixture, blue, Action::Leave);
    assert_eq!(events, [Event::Died { victim: blue }, Event::Left { player: blue }]);
    assert_eq!((fixture.row(red).score.kills, fixture.row(blue).score.deaths), (1, 1));
    assert_eq!(fixture.view().tickets, [tickets[0], tickets[1] - 1]);
}

#[test]
fn who_is_not_in_the_field_leaves_without_a_death() {
    let mut fixture = Fixture::new();
    let waiting = fixture.join(Some(Team::Red), Class::Assault);
    let tickets = fixture.view().tickets;
    let events = leave(&mut fixture, waiting, Action::Leave);
    assert_eq!(events, [Event::Left { player: waiting }]);
    assert_eq!((fixture.row(waiting).score.deaths, fixture.view().tickets), (0, tickets));
    // And only once.
    fixture.ask(waiting, Action::Leave);
    fixture.ask(waiting, Action::Lapse { since: Tick(1) });
    assert_eq!(fixture.step(), []);
}

#[test]
fn in_a_deathmatch_it_counts_for_the_team() {
    let mut fixture = Fixture::with("", |config| {
        config.mode = Mode::Deathmatch;
        config.objective.score_to_win = 1;
    });
    let [_, blue] = hurt(&mut fixture);
    fixture.ask(blue, Action::Leave);
    let events = fixture.step();
    assert!(events.contains(&Event::RoundEnded { winner: Some(Team::Red) }), "{events:?}");
}

#[test]
fn after_the_round_nobody_dies_of_leaving() {
    let mut fixture = Fixture::with("", |config| {
        config.mode = Mode::Deathmatch;
        config.objective.score_to_win = 1;
    });
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Assault]);
    fixture.bring_down(red, blue);
    fixture.step();
    let before = fixture.row(red).score;
    leave(&mut fixture, red, Action::Leave);
    assert_eq!(fixture.row(red).score, before);
}
