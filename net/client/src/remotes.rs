//! Others: what arrived about each entity, shown a little in the past.

use sortie_wire::state::EntityState;

/// States kept per entity: enough to span the interpolation delay.
const SAMPLES: usize = 6;
/// An entity that had not changed for longer than this stood still until shortly before its news.
const STILL_TICKS: u32 = 8;
/// Farther apart than this, two states are no movement but a new place, centimetres.
const TELEPORT_CM: u32 = 600;

/// An entity that this client knows of.
#[derive(Clone, Debug)]
pub struct Remote {
    id: u32,
    /// Newest first; the first `count` are filled.
    samples: [(u32, EntityState); SAMPLES],
    count: usize,
}

/// Where an entity is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// The feet (soldier) or the centre (prop), metres: east, up, south.
    pub pos: [f32; 3],
    /// Heading, 65,536 units a turn.
    pub yaw: u16,
    /// Elevation, 65,536 units a turn.
    pub pitch: i16,
    /// Metres a second over the shown interval.
    pub vel: [f32; 3],
}

impl Remote {
    fn new(id: u32, tick: u32, state: EntityState) -> Self {
        Self { id, samples: [(tick, state); SAMPLES], count: 1 }
    }

    /// Its entity id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The newest state known.
    pub fn newest(&self) -> &EntityState {
        &self.samples[0].1
    }

    /// The tick of [`newest`](Self::newest).
    pub fn newest_tick(&self) -> u32 {
        self.samples[0].0
    }

    fn note(&mut self, tick: u32, state: &EntityState) {
        // A snapshot without room for this entity leaves it at an older state: no news. Nor is a
        // state repeated because its first sending is not acknowledged yet.
        if tick <= self.samples[0].0 || *state == self.samples[0].1 {
            return;
        }
        self.samples.rotate_right(1);
        self.samples[0] = (tick, *state);
        self.count = (self.count + 1).min(SAMPLES);
    }

    /// Where it is at `tick` (with fraction), between the states around it.
    pub fn pose_at(&self, tick: f32, tick_hz: f32) -> Pose {
        let known = &self.samples[..self.count];
        let Some(older) = known.iter().position(|&(at, _)| at as f32 <= tick) else {
            // Not yet visible at that tick: shown where it appeared.
            return still(&known[self.count - 1].1);
        };
        let (from_tick, from) = known[older];
        let Some(newer) = older.checked_sub(1) else { return still(&from) };
        let (to_tick, to) = known[newer];
        if from.position_cm().iter().zip(to.position_cm()).any(|(a, b)| a.abs_diff(b) > TELEPORT_CM)
        {
            return still(&from);
        }
        let from_tick = if to_tick - from_tick > STILL_TICKS { to_tick - 1 } else { from_tick };
        let span = (to_tick - from_tick) as f32;
        between(&from, &to, ((tick - from_tick as f32) / span).clamp(0.0, 1.0), tick_hz / span)
    }
}

/// All entities that this client knows of, in id order.
#[derive(Clone, Debug, Default)]
pub struct Remotes {
    known: Vec<Remote>,
    /// The list being built from the newest snapshot.
    next: Vec<Remote>,
    /// Who went out of the set last time.
    gone: Vec<Remote>,
}

impl Remotes {
    /// Takes over the set of the newest snapshot: news of those known, newcomers, and nobody else.
    /// `since` tells of each the tick that its state is of.
    pub(crate) fn apply(&mut self, entities: &[(u32, EntityState)], since: &[u32]) {
        self.next.clear();
        self.gone.clear();
        let mut known = self.known.drain(..).peekable();
        for ((id, state), &tick) in entities.iter().zip(since) {
            while let Some(gone) = known.next_if(|remote| remote.id < *id) {
                self.gone.push(gone);
            }
            let remote = match known.next_if(|remote| remote.id == *id) {
                Some(mut remote) => {
                    remote.note(tick, state);
                    remote
                }
                None => Remote::new(*id, tick, *state),
            };
            self.next.push(remote);
        }
        self.gone.extend(known);
        std::mem::swap(&mut self.known, &mut self.next);
    }

    /// Those that the last snapshot took out of the set.
    pub(crate) fn gone(&self) -> &[Remote] {
        &self.gone
    }

    /// All, in id order.
    pub fn iter(&self) -> std::slice::Iter<'_, Remote> {
        self.known.iter()
    }

    /// One of them.
    pub fn get(&self, id: u32) -> Option<&Remote> {
        let at = self.known.binary_search_by_key(&id, |remote| remote.id).ok()?;
        Some(&self.known[at])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }
}

fn still(state: &EntityState) -> Pose {
    Pose { pos: state.position_m(), yaw: state.yaw, pitch: state.pitch, vel: [0.0; 3] }
}

/// The pose at `share` (0 to 1) of the way; `per_s` intervals fit into a second.
fn between(from: &EntityState, to: &EntityState, share: f32, per_s: f32) -> Pose {
    let (start, end) = (from.position_m(), to.position_m());
    let way: [f32; 3] = std::array::from_fn(|axis| end[axis] - start[axis]);
    // Headings turn the short way around.
    let turn = f32::from(to.yaw.wrapping_sub(from.yaw) as i16);
    let tilt = f32::from(to.pitch) - f32::from(from.pitch);
    Pose {
        pos: std::array::from_fn(|axis| start[axis] + way[axis] * share),
        yaw: from.yaw.wrapping_add((turn * share) as i16 as u16),
        pitch: from.pitch + (tilt * share) as i16,
        vel: way.map(|axis| axis * per_s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(east_m: f32, yaw: u16) -> EntityState {
        let mut state = EntityState { yaw, ..EntityState::default() };
        state.set_position_m([east_m, 0.0, 0.0]);
        state
    }

    fn known(samples: &[(u32, EntityState)]) -> Remotes {
        let mut remotes = Remotes::default();
        for (tick, state) in samples {
            remotes.apply(&[(7, *state)], &[*tick]);
        }
        remotes
    }

    fn east_at(remotes: &Remotes, tick: f32) -> f32 {
        remotes.get(7).unwrap().pose_at(tick, 60.0).pos[0]
    }

    #[test]
    fn between_two_states_it_is_in_between() {
        let remotes = known(&[(10, at(1.0, 65_472)), (12, at(2.0, 128))]);
        assert_eq!(east_at(&remotes, 9.0), 1.0);
        assert_eq!(east_at(&remotes, 11.0), 1.5);
        assert_eq!(east_at(&remotes, 99.0), 2.0);
        let pose = remotes.get(7).unwrap().pose_at(11.0, 60.0);
        assert_eq!(pose.yaw, 32, "the short way around north");
        assert_eq!(pose.vel[0], 30.0);
    }

    #[test]
    fn after_a_long_stand_it_starts_shortly_before_the_news() {
        let remotes = known(&[(10, at(1.0, 0)), (100, at(2.0, 0))]);
        assert_eq!(east_at(&remotes, 98.0), 1.0);
        assert_eq!(east_at(&remotes, 99.5), 1.5);
    }

    #[test]
    fn a_new_place_is_no_movement() {
        let remotes = known(&[(10, at(1.0, 0)), (11, at(50.0, 0))]);
        assert_eq!(east_at(&remotes, 10.9), 1.0);
        assert_eq!(east_at(&remotes, 11.0), 50.0);
    }

    #[test]
    fn who_is_not_in_the_set_is_gone() {
        let mut remotes = known(&[(10, at(1.0, 0))]);
        remotes.apply(&[(3, at(0.0, 0)), (9, at(0.0, 0))], &[11, 11]);
        assert_eq!(remotes.iter().map(Remote::id).collect::<Vec<_>>(), [3, 9]);
    }

    #[test]
    fn an_older_state_for_want_of_an_ack_is_no_news() {
        let mut remotes = known(&[(10, at(1.0, 0)), (12, at(1.5, 0))]);
        // The baseline's state again: there was no room for the present one.
        remotes.apply(&[(7, at(1.0, 0))], &[10]);
        assert_eq!(east_at(&remotes, 13.0), 1.5);
    }
}
