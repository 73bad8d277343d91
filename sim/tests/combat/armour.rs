//! Armour takes 60 % of what weapons do, as long as there is some.

use sortie_sim::command::Buttons;
use sortie_sim::id::Class;

use crate::fixture::{Fixture, two_enemies};

/// Health after each of four shots of 40 points into the chest.
fn health(class: Class) -> Vec<u8> {
    let mut fixture = Fixture::with("", |config| {
        config.weapons[0].damage_hp = 40.0;
        config.weapons[0].damage_far_hp = 40.0;
    });
    let [red, blue] = two_enemies(&mut fixture, [Class::Assault, class]);
    let mut left = Vec::new();
    for _ in 0..4 {
        fixture.face(red, blue);
        fixture.press(red, Buttons::FIRE);
        left.push(fixture.row(blue).health_hp);
        fixture.seconds(0.5);
    }
    left
}

#[test]
fn armour_takes_its_part_until_it_is_gone() {
    // Assault wears 50: 24 and 24 are taken, then the last 2.
    assert_eq!(health(Class::Assault), [84, 68, 30, 0]);
    // Recon wears 10.
    assert_eq!(health(Class::Recon), [70, 30, 0, 0]);
}
