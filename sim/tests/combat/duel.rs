//! Two soldiers shoot at each other: one falls, one scores.

use sortie_sim::command::{Action, Buttons};
use sortie_sim::event::Event;
use sortie_sim::field::Vec3;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::Status;

use crate::fixture::{Fixture, two_enemies};

#[test]
fn a_duel_ends_in_a_kill_with_its_score() {
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    fixture.bring_down(red, blue);
    assert_eq!(fixture.row(blue).status, Status::Down);
    let killer = fixture.row(red).score;
    assert_eq!((killer.kills, killer.points), (1, 100));
    assert!(killer.shots >= 3 && killer.hits == killer.shots, "{killer:?}");
    let fell = Event::Downed {
        victim: blue,
        killer: Some(red),
        weapon: Some(fixture.row(red).weapon),
        headshot: false,
    };
    assert!(fixture.happened(|event| *event == fell), "{:?}", fixture.log.last());
    assert_eq!(fixture.row(blue).score.deaths, 0, "not final yet");
    let tickets = fixture.view().tickets;
    fixture.ask(blue, Action::GiveUp);
    fixture.step();
    assert_eq!(fixture.row(blue).status, Status::Waiting);
    assert_eq!(fixture.row(blue).score.deaths, 1);
    assert!(fixture.happened(|event| *event == Event::Died { victim: blue }));
    assert_eq!(fixture.view().tickets, [tickets[0], tickets[1] - 1], "the death costs its team");
}

#[test]
fn the_figures_of_a_duel_add_up() {
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    fixture.bring_down(red, blue);
    let [winner, loser] =
        [red, blue].map(|slot| *fixture.battle.stats(slot).expect("everybody has figures"));
    assert_eq!(winner.damage_dealt_hp, 100);
    assert_eq!((loser.damage_taken_hp, winner.damage_taken_hp), (100, 0));
    let rifle = usize::from(fixture.row(red).weapon.0);
    assert_eq!(u32::from(winner.weapon_shots[rifle]), winner.score.shots);
    assert_eq!(u32::from(winner.weapon_hits[rifle]), winner.score.hits);
    assert!((winner.longest_kill_m - 20.0).abs() < 0.3, "{}", winner.longest_kill_m);
    assert!((35.0..50.0).contains(&winner.distance_m), "{} m walked", winner.distance_m);
    let alive = winner.alive_ticks;
    fixture.seconds(1.0);
    assert_eq!(fixture.battle.stats(red).map(|stats| stats.alive_ticks), Some(alive + 60));
    let down = fixture.battle.stats(blue).map(|stats| stats.alive_ticks);
    assert_eq!(down, Some(loser.alive_ticks), "the downed are not alive");
}

#[test]
fn the_head_counts_double_and_scores_more() {
    let damage = |height_m: f32| {
        let mut fixture = Fixture::new();
        let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
        let place = fixture.row(blue).body.pos + Vec3::Y * height_m;
        fixture.look_at(red, place);
        let events = fixture.press(red, Buttons::FIRE);
        let hits = events.iter().filter_map(|event| match *event {
            Event::Hit { damage_hp, headshot, .. } => Some((damage_hp, headshot)),
            _ => None,
        });
        let hits: Vec<_> = hits.collect();
        assert_eq!(hits.len(), 1, "one hit, one event: {events:?}");
        hits[0]
    };
    let [(head, in_head), (torso, in_torso), (limb, _)] = [1.7, 1.2, 0.4].map(damage);
    assert!(in_head && !in_torso);
    // Recon's thin armour takes 10 points of each.
    let absorbed = 10;
    assert_eq!((head + absorbed, torso + absorbed), (52, 26));
    assert!((limb + absorbed).abs_diff(20) <= 1, "{limb}");
}

#[test]
fn a_headshot_kill_scores_its_extra() {
    let mut fixture = Fixture::with("", |config| config.weapons[0].damage_hp = 90.0);
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    let head = fixture.row(blue).body.pos + Vec3::Y * 1.7;
    fixture.look_at(red, head);
    fixture.press(red, Buttons::FIRE);
    assert_eq!(fixture.row(blue).status, Status::Down);
    assert_eq!(fixture.row(red).score.points, 125);
}

#[test]
fn two_who_shoot_in_one_tick_both_fall() {
    let mut fixture = Fixture::with("", |config| config.weapons[0].damage_hp = 500.0);
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Assault]);
    fixture.hold(red, Buttons::FIRE);
    fixture.hold(blue, Buttons::FIRE);
    fixture.step();
    for slot in [red, blue] {
        assert_eq!(fixture.row(slot).status, Status::Down);
        assert_eq!(fixture.row(slot).score.kills, 1, "the trade counts for both");
    }
}

#[test]
fn the_later_shot_of_two_is_not_fired() {
    let mut fixture = Fixture::with("", |config| config.weapons[0].damage_hp = 500.0);
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Assault]);
    fixture.press(red, Buttons::FIRE);
    fixture.press(blue, Buttons::FIRE);
    assert_eq!(fixture.row(blue).status, Status::Down);
    assert_eq!(fixture.row(red).status, Status::Alive);
    assert_eq!(fixture.row(blue).score.shots, 0);
}

#[test]
fn walls_and_distance_stop_rounds() {
    let wall = "[[obstacle]]\nshape = \"Box\"\nx = 70.0\nz = 80.0\nwidth_m = 8.0\n\
                height_m = 3.0\nlength_m = 8.0\n";
    let mut fixture = Fixture::with(wall, |_| {});
    let red = fixture.enter(Team::Red, Class::Assault);
    let blue = fixture.enter(Team::Blue, Class::Assault);
    fixture.walk(red, 60.0, 80.0);
    fixture.walk(blue, 80.0, 80.0);
    fixture.face(red, blue);
    fixture.hold(red, Buttons::FIRE);
    fixture.seconds(1.0);
    let score = fixture.row(red).score;
    assert!(score.shots > 5 && score.hits == 0, "{score:?}");
    assert_eq!(fixture.row(blue).health_hp, 100);
}

#[test]
fn friends_are_spared_unless_the_rules_say_otherwise() {
    let health_after = |friendly_fire: bool| {
        let mut fixture = Fixture::with("", |config| config.friendly_fire = friendly_fire);
        let shooter = fixture.enter(Team::Red, Class::Assault);
        let mate = fixture.enter(Team::Red, Class::Assault);
        fixture.walk(mate, 60.0, 80.0);
        fixture.walk(shooter, 50.0, 80.0);
        fixture.face(shooter, mate);
        fixture.press(shooter, Buttons::FIRE);
        let score = fixture.row(shooter).score;
        assert_eq!((score.shots, score.hits, score.points), (1, 0, 0), "no glory in it");
        fixture.row(mate).health_hp
    };
    assert_eq!(health_after(false), 100);
    assert!(health_after(true) < 100);
}

#[test]
fn who_hurt_without_killing_assists() {
    let mut fixture = Fixture::new();
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, Class::Recon]);
    let helper = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(helper, 60.0, 76.0);
    fixture.face(helper, blue);
    fixture.press(helper, Buttons::FIRE);
    assert!(fixture.row(blue).health_hp < 100);
    fixture.bring_down(red, blue);
    let assist = fixture.row(helper).score;
    assert_eq!((assist.kills, assist.assists), (0, 1));
    assert!((10..=90).contains(&assist.points), "{assist:?}");
    assert_eq!(fixture.row(red).score.kills, 1);
}
