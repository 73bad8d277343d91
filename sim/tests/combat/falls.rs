//! The ground hurts those who come down too fast; the border kills those who stay out.

use sortie_sim::event::Event;
use sortie_sim::field::Yaw;
use sortie_sim::id::{Class, Team};
use sortie_sim::view::Status;

use crate::stage::Stage;

/// A ramp to the east up to a platform that ends in a drop of `height_m`.
fn fall(height_m: f32) -> Stage {
    let ground = format!(
        "[[obstacle]]\nshape = \"Ramp\"\nx = 40.0\nz = 80.0\nbottom_m = 0.0\nwidth_m = 6.0\n\
         height_m = {height_m}\nlength_m = 20.0\nheading_deg = 90.0\n\
         [[obstacle]]\nshape = \"Box\"\nx = 54.0\nz = 80.0\nbottom_m = 0.0\nwidth_m = 6.0\n\
         height_m = {height_m}\nlength_m = 8.0\nheading_deg = 90.0\n"
    );
    let mut stage = Stage::with(&ground, |_| {});
    let slot = stage.enter(Team::Red, Class::Assault);
    stage.walk(slot, 27.0, 80.0);
    let input = stage.input(slot);
    input.yaw = Yaw(16_384);
    input.move_forward = 127;
    stage.seconds(10.0);
    assert!(stage.row(slot).body.pos.x > 60.0, "{:?}", stage.row(slot).body);
    stage
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
    let stage = fall(16.0);
    let downed = |event: &Event| matches!(event, Event::Downed { killer: None, weapon: None, .. });
    assert!(stage.happened(downed), "{:?}", stage.log);
}

#[test]
fn ten_seconds_outside_the_border_kill() {
    let boundary = "boundary = [[10.0, 10.0], [150.0, 10.0], [150.0, 150.0], [10.0, 150.0]]\n";
    let mut stage = {
        let map =
            sortie_sim::field::map::Map::parse(&format!("{boundary}{}", crate::stage::GROUND))
                .expect("a map");
        Stage::of(sortie_sim::BattleSetup {
            config: crate::stage::steady_rules(),
            field: std::sync::Arc::new(sortie_sim::field::Field::new(map)),
            seed: 1,
            threads: 1,
        })
    };
    let slot = stage.enter(Team::Red, Class::Assault);
    stage.walk(slot, 8.0, 80.0);
    stage.seconds(7.0);
    assert_eq!(stage.row(slot).status, Status::Alive);
    stage.walk(slot, 12.0, 80.0);
    stage.walk(slot, 8.0, 80.0);
    stage.seconds(7.0);
    assert_eq!(stage.row(slot).status, Status::Alive, "being back inside began a new count");
    stage.seconds(4.0);
    assert_eq!(stage.row(slot).status, Status::Waiting);
    assert_eq!(stage.row(slot).score.deaths, 1);
    let died = stage.log.iter().filter(|(_, event)| *event == Event::Died { victim: slot });
    assert_eq!(died.count(), 1);
}
