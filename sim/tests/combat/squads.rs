//! Squads of up to five: a leader, an order, a place to come in.

use sortie_sim::command::{Action, Buttons, SpawnAt};
use sortie_sim::id::{Class, PlayerSlot, PointId, Team};

use crate::fixture::Fixture;

fn joined(fixture: &mut Fixture, count: usize, team: Team) -> Vec<PlayerSlot> {
    let slots: Vec<_> = (0..count).map(|_| fixture.enter(team, Class::Assault)).collect();
    for &slot in &slots {
        fixture.ask(slot, Action::JoinSquad);
    }
    fixture.step();
    slots
}

#[test]
fn a_squad_holds_five_of_one_team() {
    let mut fixture = Fixture::new();
    let reds = joined(&mut fixture, 7, Team::Red);
    let blues = joined(&mut fixture, 1, Team::Blue);
    let squads: Vec<_> = reds.iter().map(|&slot| fixture.row(slot).squad.map(|s| s.0)).collect();
    assert_eq!(squads, [Some(0), Some(0), Some(0), Some(0), Some(0), Some(1), Some(1)]);
    assert_eq!(fixture.row(blues[0]).squad.map(|squad| squad.0), Some(0), "teams count apart");
    fixture.ask(reds[2], Action::LeaveSquad);
    fixture.step();
    assert_eq!(fixture.row(reds[2]).squad, None);
    fixture.ask(reds[6], Action::JoinSquad);
    fixture.step();
    assert_eq!(fixture.row(reds[6]).squad.map(|squad| squad.0), Some(0), "the lowest with room");
}

#[test]
fn the_leader_orders_and_the_next_one_takes_over() {
    let mut fixture = Fixture::new();
    let slots = joined(&mut fixture, 3, Team::Red);
    let orders =
        |fixture: &Fixture| slots.iter().map(|&slot| fixture.row(slot).order).collect::<Vec<_>>();
    fixture.ask(slots[1], Action::SquadOrder(PointId(0)));
    fixture.step();
    assert_eq!(orders(&fixture), [None; 3], "only the leader orders");
    fixture.ask(slots[0], Action::SquadOrder(PointId(1)));
    fixture.step();
    assert_eq!(orders(&fixture), [Some(PointId(1)); 3]);
    fixture.ask(slots[0], Action::SquadOrder(PointId(77)));
    fixture.step();
    assert_eq!(orders(&fixture), [Some(PointId(1)); 3], "no such point");
    fixture.ask(slots[0], Action::Leave);
    fixture.step();
    fixture.ask(slots[1], Action::SquadOrder(PointId(0)));
    fixture.step();
    assert_eq!(orders(&fixture)[1..], [Some(PointId(0)); 2]);
}

#[test]
fn following_the_order_scores_more() {
    let mut fixture = Fixture::new();
    let slots = joined(&mut fixture, 1, Team::Red);
    fixture.ask(slots[0], Action::SquadOrder(PointId(0)));
    fixture.step();
    fixture.walk(slots[0], 80.0, 20.0);
    fixture.until("it is taken", |fixture| fixture.view().points[0].owner == Some(Team::Red));
    assert_eq!(fixture.row(slots[0]).score.points, 250 + fixture.battle.config().score.order);
}

#[test]
fn a_mate_in_peace_is_a_place_to_come_in() {
    let mut fixture = Fixture::new();
    let slots = joined(&mut fixture, 1, Team::Red);
    fixture.walk(slots[0], 60.0, 40.0);
    let near = |fixture: &Fixture, slot| {
        (fixture.row(slot).body.pos - fixture.row(slots[0]).body.pos).length() < 6.0
    };
    let mate = fixture.join(Some(Team::Red), Class::Medic);
    fixture.ask(mate, Action::JoinSquad);
    fixture.come_in(mate, SpawnAt::Squad, Class::Medic);
    assert!(near(&fixture, mate), "{:?}", fixture.row(mate).body.pos);
    let stranger = fixture.join(Some(Team::Red), Class::Medic);
    fixture.come_in(stranger, SpawnAt::Squad, Class::Medic);
    assert!(!near(&fixture, stranger), "no squad: the base");
}

#[test]
fn a_mate_under_fire_is_not() {
    let mut fixture = Fixture::new();
    let slots = joined(&mut fixture, 1, Team::Red);
    let enemy = fixture.enter(Team::Blue, Class::Assault);
    fixture.walk(slots[0], 60.0, 80.0);
    fixture.walk(enemy, 80.0, 80.0);
    let mate = fixture.join(Some(Team::Red), Class::Medic);
    fixture.ask(mate, Action::JoinSquad);
    fixture.face(enemy, slots[0]);
    fixture.press(enemy, Buttons::FIRE);
    assert!(fixture.row(slots[0]).health_hp < 100);
    fixture.come_in(mate, SpawnAt::Squad, Class::Medic);
    let pos = fixture.row(mate).body.pos;
    assert!((pos - fixture.row(slots[0]).body.pos).length() > 20.0, "the base, not {pos}");
}
