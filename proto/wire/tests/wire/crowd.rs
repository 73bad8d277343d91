//! Soldiers that walk as in the common benchmark scenario: 5 m/s, a heading that wanders with a
//! random turn about once a second, yaw advancing 1 to 5 degrees every tick.

use sortie_wire::state::{EntityState, flags, quantise_yaw};

use crate::rng::Rng;

pub(crate) const SPEED_MPS: f32 = 5.0;
pub(crate) const TICK_HZ: f32 = 60.0;

pub(crate) struct Walker {
    pub id: u32,
    pos: [f32; 3],
    heading: f32,
    turning: f32,
    yaw: f32,
    /// Metres of climb per metre walked east.
    slope: f32,
}

pub(crate) struct Crowd {
    pub walkers: Vec<Walker>,
    rng: Rng,
}

impl Crowd {
    /// So many walkers with ids spread evenly at random below `id_end`.
    pub(crate) fn new(seed: u64, count: usize, id_end: usize, slope: f32) -> Self {
        let mut rng = Rng::new(seed);
        let mut ids: Vec<u32> = (0..id_end as u32).collect();
        while ids.len() > count {
            let at = rng.below(ids.len());
            ids.remove(at);
        }
        let walkers = ids.into_iter().map(|id| Walker {
            id,
            pos: [20.0 + rng.unit() * 100.0, 5.0, 20.0 + rng.unit() * 100.0],
            heading: rng.unit() * std::f32::consts::TAU,
            turning: 0.0,
            yaw: rng.unit() * 360.0,
            slope,
        });
        let walkers = walkers.collect();
        Self { walkers, rng }
    }

    pub(crate) fn step(&mut self) {
        for walker in &mut self.walkers {
            if self.rng.unit() < 1.0 / TICK_HZ {
                walker.turning = (self.rng.unit() - 0.5) * 2.0;
            }
            walker.heading += walker.turning / TICK_HZ;
            let (sin, cos) = walker.heading.sin_cos();
            walker.pos[0] += sin * SPEED_MPS / TICK_HZ;
            walker.pos[1] += sin * walker.slope * SPEED_MPS / TICK_HZ;
            walker.pos[2] -= cos * SPEED_MPS / TICK_HZ;
            walker.yaw += 1.0 + 4.0 * self.rng.unit();
        }
    }

    pub(crate) fn states(&self) -> Vec<(u32, EntityState)> {
        self.walkers.iter().map(|walker| (walker.id, walker.state())).collect()
    }
}

impl Walker {
    fn state(&self) -> EntityState {
        let turns = (self.yaw / 360.0).fract();
        let mut state = EntityState {
            team: (self.id % 2) as u8,
            class: (self.id % 4) as u8,
            weapon: (self.id % 7) as u8,
            yaw: quantise_yaw((turns * 65_536.0) as u16),
            flags: flags::GROUNDED,
            health: 15,
            ..EntityState::default()
        };
        state.set_position_m(self.pos);
        state
    }
}
