//! What every system may read: the clock, the rules and the ground.

use std::ops::Deref;
use std::sync::Arc;

use bevy_ecs::prelude::Resource;
use sortie_field::Field;

use crate::config::SimConfig;
use crate::id::Tick;

/// The tick being stepped. Ticks are the only time that the simulation knows.
#[derive(Resource, Clone, Copy, Debug)]
pub struct Clock {
    /// The tick being stepped; 0 before the first, so the first one stepped is 1.
    pub tick: Tick,
    /// Ticks a second.
    pub hz: u16,
    /// Length of a tick, seconds.
    pub dt_s: f32,
}

impl Clock {
    /// Stands at tick 0.
    pub fn new(hz: u16) -> Self {
        Self { tick: Tick(0), hz, dt_s: 1.0 / f32::from(hz) }
    }

    /// A time in whole ticks, rounded up, at least one.
    pub fn ticks(&self, seconds: f32) -> u32 {
        (libm::ceilf(seconds * f32::from(self.hz)) as u32).max(1)
    }

    /// The tick that lies `seconds` ahead.
    pub fn after(&self, seconds: f32) -> Tick {
        Tick(self.tick.0.saturating_add(self.ticks(seconds)))
    }
}

/// The rules of the battle; never change while it runs.
#[derive(Resource, Clone, Debug)]
pub struct Rules(pub Arc<SimConfig>);

impl Deref for Rules {
    type Target = SimConfig;

    fn deref(&self) -> &SimConfig {
        &self.0
    }
}

/// The battlefield; never changes while the battle runs.
#[derive(Resource, Clone)]
pub struct Ground(pub Arc<Field>);

impl Deref for Ground {
    type Target = Field;

    fn deref(&self) -> &Field {
        &self.0
    }
}
