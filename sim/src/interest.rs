//! What a player may know: the set of entities that a client may be told about, per player.
//!
//! Rules, before any mechanism. The own team within `mates_m` or in sight and the own squad
//! anywhere are shown; the rest of the team now and then, for the map. An enemy is known while it
//! is spotted, or when it was in line of sight from the eye in this tick or one of the
//! `grace_ticks` before; "in sight" includes a margin beside and above the body, so that whoever
//! peeks around a corner is there in time. Smoke blocks sight. Nothing else beyond `view_m` is
//! known. Whoever waits to spawn has no eyes.
//!
//! The set is a pure function of the views it was shown and the field; it is no state of the
//! battle, so any number of servers, bots and tests may keep their own. [`oracle`] says the same
//! by brute force, for tests.
//!
//! Lines of sight cost most, so they are spread over ticks: what is in sight is looked at again
//! when its grace ends, what is not every [`FAR_TICKS`] or [`NEAR_TICKS`], at staggered ticks.

mod heard;
mod near;
mod observer;
pub mod oracle;
mod scene;
mod sight;
mod visible;

use rayon::ThreadPool;
use rayon::prelude::*;
use sortie_field::Field;

pub use heard::{Sound, heard};
pub use observer::{FAR_TICKS, NEAR_M, NEAR_TICKS};
pub use sight::{SmokeCloud, in_sight};
pub use visible::VisibleSet;

use crate::config::SimConfig;
use crate::id::PlayerSlot;
use crate::view::View;
use observer::{LookRules, Observer};
use scene::Scene;

/// Observers that one thread takes at a time.
const GRAIN: usize = 8;

/// Who knows of whom, kept up to date tick by tick.
#[derive(Debug)]
pub struct Visibility {
    rules: LookRules,
    scene: Scene,
    observers: Vec<Observer>,
}

impl Visibility {
    /// Nobody knows of anybody yet, in a battle by these rules.
    pub fn new(config: &SimConfig) -> Self {
        let rules = LookRules::new(config);
        Self { rules, scene: Scene::default(), observers: Vec::new() }
    }

    /// Takes up the next tick. Views come in the order of their ticks; leaving ticks out is
    /// allowed and makes sight coarser. With a `pool` observers are shared out over its threads;
    /// the result is the same.
    pub fn update(&mut self, view: &View, field: &Field, pool: Option<&ThreadPool>) {
        self.scene.build(view, field);
        self.observers.resize_with(view.soldiers.len(), Observer::default);
        let Self { rules, scene, observers } = self;
        let look = |(slot, observer): (usize, &mut Observer)| {
            observer.look(PlayerSlot(slot as u16), scene, view, field, rules);
        };
        match pool {
            Some(pool) if observers.len() > GRAIN => pool.install(|| {
                observers.par_iter_mut().enumerate().with_min_len(GRAIN).for_each(look);
            }),
            _ => observers.iter_mut().enumerate().for_each(look),
        }
    }

    /// Everything that `observer` may be told about, without itself. Empty for a slot that nobody
    /// has.
    pub fn visible(&self, observer: PlayerSlot) -> VisibleSet<'_> {
        self.observers.get(usize::from(observer.0)).map_or(VisibleSet::default(), Observer::visible)
    }

    /// Lines of sight that were looked along in the last update: the work it took.
    pub fn rays(&self) -> u64 {
        self.observers.iter().map(|observer| u64::from(observer.rays())).sum()
    }
}
