//! What is heard: where a shot came from, not who fired it.

use sortie_field::{Vec3, Yaw};

use crate::config::InterestRules;
use crate::event::Event;
use crate::id::{PlayerSlot, WeaponId};
use crate::view::View;

/// A shot that was heard. A direction and a loudness, no entity and no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// The weapon that was fired.
    pub weapon: WeaponId,
    /// Where it came from.
    pub direction: Yaw,
    /// How loud, 255 beside the ear, 0 at the edge of hearing.
    pub loudness: u8,
}

/// The shots among `events` that `observer` hears, own ones not counted, in their order. `sounds`
/// is emptied first.
pub fn heard(
    view: &View,
    events: &[Event],
    observer: PlayerSlot,
    rules: &InterestRules,
    sounds: &mut Vec<Sound>,
) {
    sounds.clear();
    let Some(listener) = view.soldiers.get(usize::from(observer.0)) else { return };
    for event in events {
        let &Event::Shot { shooter, weapon, origin, .. } = event else { continue };
        let way: Vec3 = origin - listener.body.pos;
        let distance_m = way.length();
        if shooter == observer || distance_m > rules.hearing_m {
            continue;
        }
        let direction = Yaw::towards(way.x, way.z);
        let loudness = (255.0 * (1.0 - distance_m / rules.hearing_m)) as u8;
        sounds.push(Sound { weapon, direction, loudness });
    }
}
