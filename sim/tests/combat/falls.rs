//! The ground hurts those who come down too fast; the border kills those who stay out.

use sortie_sim::event::Event;
use sortie_sim::field::Yaw;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::Status;

use crate::fixture::Fixture;

/// A ramp to the east up to a platform that ends in a drop of `height_m`.
fn fall(height_m: f32) -> Fixture {
    let ground = format!(
        "[[obstacle]]\nshape = \"Ramp\"\nx = 40.0\nz = 80.0\nbottom_m = 0.0\nwidth_m = 6.0\n\
         height_m = {height_m}\nlength_m = 20.0\nheading_deg = 90.0\n\
         [[obstacle]]\nshape = \"Box\"\nx = 54.0\nz = 80.0\nbottom_m = 0.0\nwidth_m = 6.0\n\
         height_m = {height_m}\nlength_m = 8.0\nheading_deg = 90.0\n"
    );
    let mut fixture = Fixture::with(&ground, |_| {});
    let slot = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(slot, 27.0, 80.0);
    let input = fixture.input(slot);
    input.yaw = Yaw(16_384);
    input.move_forward = 127;
    fixture.seconds(10.0);
    assert!(fixture.row(slot).body.pos.x > 60.0, "{:?}", fixture.row(slot).body);
    fixture
}

#[test]
fn five_metres_are_harmless_and_more_hurts() {
    let health = |height_m| fall(height_m).view().soldiers[0].health_hp;
    assert_eq!(health(4.8), 100);
    let [some, more] = [7.0, 10.0].map(health);
    assert!(more < some && some < 100, "{some} {more}");
}

#[test]
fn a_deadly_fall_is_nobody_s_kill() {
    let fixture = fall(16.0);
    let downed = |event: &Event| matches!(event, Event::Downed { killer: None, weapon: None, .. });
    assert!(fixture.happened(downed), "{:?}", fixture.log);
}

#[test]
fn ten_seconds_outside_the_border_kill() {
    let boundary = "boundary = [[10.0, 10.0], [150.0, 10.0], [150.0, 150.0], [10.0, 150.0]]\n";
    let mut fixture = {
        let map =
            sortie_sim::field::map::Map::parse(&format!("{boundary}{}", crate::fixture::GROUND))
                .expect("a map");
        Fixture::of(sortie_sim::BattleSetup {
            config: crate::fixture::steady_rules(),
            field: std::sync::Arc::new(sortie_sim::field::Field::new(map)),
            seed: 1,
            threads: 1,
        })
    };
    let slot = fixture.enter(Team::Red, Class::Assault);
    fixture.walk(slot, 8.0, 80.0);
    fixture.seconds(7.0);
    assert_eq!(fixture.row(slot).status, Status::Alive);
    fixture.walk(slot, 12.0, 80.0);
    fixture.walk(slot, 8.0, 80.0);
    fixture.seconds(7.0);
    assert_eq!(fixture.row(slot).status, Status::Alive, "being back inside began a new count");
    fixture.seconds(4.0);
    assert_eq!(fixture.row(slot).status, Status::Waiting);
    assert_eq!(fixture.row(slot).score.deaths, 1);
    let died = fixture.log.iter().filter(|(_, event)| *event == Event::Died { victim: slot });
    assert_eq!(died.count(), 1);
}
