//! Rays through the static battlefield: what a hitscan shot and every line of sight are made of.

use std::io;

use sortie_field::{Field, Pitch, Vec3, Yaw, angle::direction};

use super::suite_run::SuiteRun;
use super::table::TableRow;
use sortie_players::cpu::thread_time;
use sortie_players::ground;

/// Length of a ray, metres: the reach of a rifle.
const REACH_M: f32 = 300.0;

/// Height of the eyes, metres.
const EYES_M: f32 = 1.6;

/// What rays cost on one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct RayCost {
    /// Rays a second.
    pub per_second: f64,
    /// Share of the rays that hit ground or obstacle, 0 to 1.
    pub hit_share: f64,
}

/// Rays from places spread over a map, a little up or down: origin and direction.
pub struct Rays(Vec<(Vec3, Vec3)>);

impl Rays {
    /// As many rays, always the same.
    pub fn new(field: &Field, count: usize) -> Self {
        let side_m = field.map().size_m;
        let mut random = 1_u64;
        let mut draw = move || {
            // Knuth's MMIX; its high bits are good enough to spread rays.
            random = random.wrapping_mul(6_364_136_223_846_793_005);
            random = random.wrapping_add(1_442_695_040_888_963_407);
            (random >> 40) as f32 / (1_u64 << 24) as f32
        };
        let ray = |_| {
            let (x, z) = (draw() * side_m, draw() * side_m);
            let eyes = Vec3::new(x, field.ground_y(x, z) + EYES_M, z);
            let pitch = Pitch::from_radians((draw() - 0.5) * 0.2);
            (eyes, direction(Yaw((draw() * 65_535.0) as u16), pitch))
        };
        Self((0..count).map(ray).collect())
    }

    /// Casts them all; gives how many hit something.
    pub fn cast(&self, field: &Field) -> usize {
        let hits = |(eyes, way): &&(Vec3, Vec3)| field.raycast(*eyes, *way, REACH_M).is_some();
        self.0.iter().filter(hits).count()
    }
}

/// Casts `count` rays.
pub fn measure(field: &Field, count: usize) -> RayCost {
    let rays = Rays::new(field, count);
    let before = thread_time();
    let hits = rays.cast(field);
    let spent = thread_time() - before;
    RayCost {
        per_second: count as f64 / spent.as_secs_f64().max(1e-9),
        hit_share: hits as f64 / count.max(1) as f64,
    }
}

/// The section of the table.
pub fn rows(run: &SuiteRun) -> io::Result<Vec<TableRow>> {
    let count = run.choose(2_000, 400_000);
    let mut rows = Vec::new();
    for name in ["ridge", "steppe"] {
        let field = Field::new(ground::load(name).map_err(io::Error::other)?);
        let rays = measure(&field, count);
        let share = 100.0 * rays.hit_share;
        rows.push(
            TableRow::new(format!("rays of 300 m on {name}"), rays.per_second / 1e6, "million / s")
                .note(format!("one thread; {share:.0} % hit ground or obstacle")),
        );
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_rays_hit_and_some_do_not() {
        let field = Field::new(ground::load("ridge").unwrap());
        let rays = measure(&field, 2_000);
        assert!((0.05..0.999).contains(&rays.hit_share), "{rays:?}");
        assert!(rays.per_second > 0.0);
    }
}
