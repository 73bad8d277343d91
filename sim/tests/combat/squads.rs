//! Squads of up to five: a leader, an order, a place to come in.

use sortie_sim::command::{Action, Buttons, SpawnAt};
use sortie_sim::id::{Class, PlayerSlot, PointId, Team};

use crate::stage::Stage;

fn joined(stage: &mut Stage, count: usize, team: Team) -> Vec<PlayerSlot> {
    let slots: Vec<_> = (0..count).map(|_| stage.enter(team, Class::Assault)).collect();
    for &slot in &slots {
        stage.ask(slot, Action::JoinSquad);
    }
    stage.step();
    slots
}

#[test]
fn a_squad_holds_five_of_one_team() {
    let mut stage = Stage::new();
    let reds = joined(&mut stage, 7, Team::Red);
    let blues = joined(&mut stage, 1, Team::Blue);
    let squads: Vec<_> = reds.iter().map(|&slot| stage.row(slot).squad.map(|s| s.0)).collect();
    assert_eq!(squads, [Some(0), Some(0), Some(0), Some(0), Some(0), Some(1), Some(1)]);
    assert_eq!(stage.row(blues[0]).squad.map(|squad| squad.0), Some(0), "teams count apart");
    stage.ask(reds[2], Action::LeaveSquad);
    stage.step();
    assert_eq!(stage.row(reds[2]).squad, None);
    stage.ask(reds[6], Action::JoinSquad);
    stage.step();
    assert_eq!(stage.row(reds[6]).squad.map(|squad| squad.0), Some(0), "the lowest with room");
}

#[test]
fn the_leader_orders_and_the_next_one_takes_over() {
    let mut stage = Stage::new();
    let slots = joined(&mut stage, 3, Team::Red);
    let orders =
        |stage: &Stage| slots.iter().map(|&slot| stage.row(slot).order).collect::<Vec<_>>();
    stage.ask(slots[1], Action::SquadOrder(PointId(0)));
    stage.step();
    assert_eq!(orders(&stage), [None; 3], "only the leader orders");
    stage.ask(slots[0], Action::SquadOrder(PointId(1)));
    stage.step();
    assert_eq!(orders(&stage), [Some(PointId(1)); 3]);
    stage.ask(slots[0], Action::SquadOrder(PointId(77)));
    stage.step();
    assert_eq!(orders(&stage), [Some(PointId(1)); 3], "no such point");
    stage.ask(slots[0], Action::Leave);
    stage.step();
    stage.ask(slots[1], Action::SquadOrder(PointId(0)));
    stage.step();
    assert_eq!(orders(&stage)[1..], [Some(PointId(0)); 2]);
}

#[test]
fn following_the_order_scores_more() {
    let mut stage = Stage::new();
    let slots = joined(&mut stage, 1, Team::Red);
    stage.ask(slots[0], Action::SquadOrder(PointId(0)));
    stage.step();
    stage.walk(slots[0], 80.0, 20.0);
    stage.until("it is taken", |stage| stage.view().points[0].owner == Some(Team::Red));
    assert_eq!(stage.row(slots[0]).score.points, 250 + stage.battle.config().score.order);
}

#[test]
fn a_mate_in_peace_is_a_place_to_come_in() {
    let mut stage = Stage::new();
    let slots = joined(&mut stage, 1, Team::Red);
    stage.walk(slots[0], 60.0, 40.0);
    let near = |stage: &Stage, slot| {
        (stage.row(slot).body.pos - stage.row(slots[0]).body.pos).length() < 6.0
    };
    let mate = stage.join(Some(Team::Red), Class::Medic);
    stage.ask(mate, Action::JoinSquad);
    stage.come_in(mate, SpawnAt::Squad, Class::Medic);
    assert!(near(&stage, mate), "{:?}", stage.row(mate).body.pos);
    let stranger = stage.join(Some(Team::Red), Class::Medic);
    stage.come_in(stranger, SpawnAt::Squad, Class::Medic);
    assert!(!near(&stage, stranger), "no squad: the base");
}

#[test]
fn a_mate_under_fire_is_not() {
    let mut stage = Stage::new();
    let slots = joined(&mut stage, 1, Team::Red);
    let enemy = stage.enter(Team::Blue, Class::Assault);
    stage.walk(slots[0], 60.0, 80.0);
    stage.walk(enemy, 80.0, 80.0);
    let mate = stage.join(Some(Team::Red), Class::Medic);
    stage.ask(mate, Action::JoinSquad);
    stage.face(enemy, slots[0]);
    stage.press(enemy, Buttons::FIRE);
    assert!(stage.row(slots[0]).health_hp < 100);
    stage.come_in(mate, SpawnAt::Squad, Class::Medic);
    let pos = stage.row(mate).body.pos;
    assert!((pos - stage.row(slots[0]).body.pos).length() > 20.0, "the base, not {pos}");
}
