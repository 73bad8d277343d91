//! A3: who comes in beside a squad mate comes in on the mate's side of a wall.
//! Goes to sim/tests.
#![allow(dead_code, reason = "of the stage a part is used")]

#[path = "combat/stage.rs"]
mod stage;

use sortie_sim::command::{Action, SpawnAt};
use sortie_sim::id::{Class, Team};
use stage::Stage;

/// From north to south, 1 m west of x = 60; nobody can come around it in 4 m.
const WALL: &str = r#"
[[obstacle]]
shape = "Box"
x = 60.0
z = 80.0
width_m = 0.4
height_m = 6.0
length_m = 60.0
"#;

#[test]
fn nobody_comes_in_behind_the_wall_beside_which_the_mate_stands() {
    let mut stage = Stage::with(WALL, |_| {});
    let mate = stage.enter(Team::Red, Class::Assault);
    stage.walk(mate, 59.0, 80.0);
    let newcomers: Vec<_> = (0..3).map(|_| stage.join(Some(Team::Red), Class::Medic)).collect();
    for &slot in [mate].iter().chain(&newcomers) {
        stage.ask(slot, Action::JoinSquad);
        stage.step();
    }
    for slot in newcomers {
        stage.come_in(slot, SpawnAt::Squad, Class::Medic);
        let x = stage.row(slot).body.pos.x;
        assert!(x < 60.0, "A3: {slot:?} came in behind the wall, at x = {x}");
    }
}
