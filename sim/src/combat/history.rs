//! Where soldiers stood in the last quarter of a second, for shots that look back.
//!
//! A ring of ticks, each a row of poses by slot: nothing of the present is touched by looking
//! back.

use bevy_ecs::prelude::*;
use sortie_field::{Stance, Vec3};

use crate::codec::{Corrupt, Saved, Sink, Source};
use crate::components::{Pose, Roster, Vitals};
use crate::id::{PLAYERS_MAX, PlayerSlot, Tick};
use crate::world::{Clock, Rules};

/// A soldier as it stood in a past tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastPose {
    /// Where its feet were, in metres.
    pub pos: Vec3,
    /// Its height, metres.
    pub height_m: f32,
}

/// One tick of the ring.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    tick: Option<Tick>,
    /// By slot; `None` for who could not be hit.
    poses: Vec<Option<PastPose>>,
}

impl Past {
    /// The tick that it is of.
    pub(super) fn tick(&self) -> Tick {
        self.tick.unwrap_or_default()
    }

    /// The soldier of a slot, if it could be hit then.
    pub(super) fn get(&self, slot: PlayerSlot) -> Option<PastPose> {
        *self.poses.get(usize::from(slot.0))?
    }
}

/// The ring. It follows from the states of the ticks it covers, so it is no part of the hash; a
/// checkpoint needs it, since those states are gone.
#[derive(Resource, Clone, Debug)]
pub struct History {
    ring: Vec<Past>,
}

impl History {
    /// A ring over `ticks` ticks with nothing in it.
    pub fn new(ticks: u32) -> Self {
        Self { ring: vec![Past::default(); ticks.max(1) as usize] }
    }

    /// Where a soldier stood in `tick`; `None` when it could not be hit then, or the tick is
    /// forgotten.
    pub fn at(&self, tick: Tick, slot: PlayerSlot) -> Option<PastPose> {
        self.past(tick)?.get(slot)
    }

    pub(super) fn past(&self, tick: Tick) -> Option<&Past> {
        Some(&self.ring[self.place(tick)]).filter(|past| past.tick == Some(tick))
    }

    fn place(&self, tick: Tick) -> usize {
        tick.0 as usize % self.ring.len()
    }
}

pub(super) fn record_poses(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rules: Res<Rules>,
    soldiers: Query<(&Pose, &Vitals)>,
    mut history: ResMut<History>,
) {
    let place = history.place(clock.tick);
    let past = &mut history.ring[place];
    past.poses.clear();
    past.tick = Some(clock.tick);
    for (pose, vitals) in soldiers.iter_many(roster.entities()).flatten() {
        let height_m = match pose.0.stance {
            Stance::Standing => rules.movement.stand_m,
            Stance::Crouched => rules.movement.crouch_m,
        };
        past.poses.push(vitals.alive().then_some(PastPose { pos: pose.0.pos, height_m }));
    }
}

impl Saved for History {
    fn save(&self, sink: &mut impl Sink) {
        sink.put(self.ring.len() as u64, 4);
        for past in &self.ring {
            past.tick.save(sink);
            sink.put(past.poses.len() as u64, 4);
            for pose in &past.poses {
                pose.map(|pose| (pose.pos, pose.height_m)).save(sink);
            }
        }
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        // Two seconds at the fastest tick: more than any rules allow.
        let count = source.take_count(512)?;
        if count == 0 {
            return Err(Corrupt("its history has no room"));
        }
        let mut history = Self { ring: Vec::new() };
        for _ in 0..count {
            let mut past = Past { tick: Option::load(source)?, ..Past::default() };
            for _ in 0..source.take_count(PLAYERS_MAX)? {
                let pose = Option::<(Vec3, f32)>::load(source)?;
                past.poses.push(pose.map(|(pos, height_m)| PastPose { pos, height_m }));
            }
            history.ring.push(past);
        }
        Ok(history)
    }
}
