//! How urgent news of an entity is to one player.
//!
//! Every tick that news of an entity has to wait, its gain is added to its priority; sending
//! resets it. So a far walker is told seldom but surely, and nothing starves.

use sortie_wire::state::{EntityState, flags};

/// Who looks, in wire units.
#[derive(Clone, Copy, Debug, Default)]
pub struct Viewpoint {
    /// Centimetres.
    pub x: u32,
    /// Centimetres.
    pub z: u32,
    /// The unit vector of the view's heading, east.
    pub east: f32,
    /// The unit vector of the view's heading, south.
    pub south: f32,
}

/// Who the snapshot is for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Viewer<'a> {
    /// The face of the history that this player's team sees.
    pub face: usize,
    /// Where it stands and looks.
    pub from: Viewpoint,
    /// Entities in combat with it, in id order.
    pub combat: &'a [u32],
    /// Its squad mates, in id order.
    pub squad: &'a [u32],
}

/// Distance bands: nearer than so many metres, that gain per tick.
const BANDS: [(f32, f32); 4] = [(25.0, 32.0), (60.0, 16.0), (120.0, 8.0), (250.0, 4.0)];
const BEYOND: f32 = 2.0;
/// Entities beyond this are the far bands that overload thins out first, metres.
pub const FAR_M: f32 = 60.0;
/// Half the view cone is 45 degrees.
const CONE_COS: f32 = 0.707;

/// Why an entity matters more to this player than to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// They shoot at each other.
    pub combat: bool,
    /// Same squad.
    pub squad: bool,
}

/// Priority gained per tick of waiting, 2 upwards.
pub fn gain(state: &EntityState, from: &Viewpoint, link: Link) -> f32 {
    let (dx, dz, distance_m) = offset(state, from);
    let mut gain =
        BANDS.iter().find(|(limit_m, _)| distance_m < *limit_m).map_or(BEYOND, |(_, gain)| *gain);
    if dx * from.east + dz * from.south > CONE_COS * distance_m {
        gain *= 2.0;
    }
    if state.kind != 0 || state.flags & flags::SPRINTING != 0 {
        gain *= 1.5; // Fast: a late update shows as a jump.
    }
    if link.combat || state.flags & flags::FIRING != 0 {
        gain *= 2.0;
    }
    if link.squad {
        gain *= 2.0;
    }
    gain
}

/// Whether the entity lies in the bands that are thinned out first.
pub fn is_far(state: &EntityState, from: &Viewpoint) -> bool {
    offset(state, from).2 > FAR_M
}

fn offset(state: &EntityState, from: &Viewpoint) -> (f32, f32, f32) {
    let dx = (i64::from(state.x) - i64::from(from.x)) as f32 / 100.0;
    let dz = (i64::from(state.z) - i64::from(from.z)) as f32 / 100.0;
    (dx, dz, (dx * dx + dz * dz).sqrt())
}
