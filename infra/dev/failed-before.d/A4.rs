//! A4: who is hurt and leaves dies by the one who did it.
//! Goes to sim/tests.
#![allow(dead_code, reason = "of the stage a part is used")]

#[path = "combat/stage.rs"]
mod stage;

use sortie_sim::command::{Action, Buttons};
use sortie_sim::id::Class;
use stage::{Stage, two_enemies};

#[test]
fn leaving_a_fight_spares_nobody_the_death() {
    let mut stage = Stage::new();
    let [red, blue] = two_enemies(&mut stage, [Class::Assault, Class::Assault]);
    stage.press(red, Buttons::FIRE);
    assert!((1..100).contains(&stage.row(blue).health_hp), "hurt, and not down");
    stage.ask(blue, Action::Leave);
    stage.step();
    let (kills, deaths) = (stage.row(red).score.kills, stage.row(blue).score.deaths);
    assert!((kills, deaths) == (1, 1), "A4: {kills} kills, {deaths} deaths");
}
