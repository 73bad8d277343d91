//! Battles in full swing.

use std::sync::Arc;

use sortie_bench::measure::rays::Rays;
use sortie_field::body::{Body, MoveIntent, MoveRules};
use sortie_field::{Field, Vec3, Yaw, step_body};
use sortie_players::headless::{Arena, SimRunConfig};
use sortie_players::{ground, scenario::Scenario};
use sortie_sim::command::Command;
use sortie_sim::interest::Visibility;

/// Players of a battle.
const PLAYERS: usize = 300;

/// Ticks until everybody is in the field and those who fight do.
const WARM_UP: usize = 400;

/// Ticks of a run.
const TICKS: usize = 8;

fn arena(scenario: Scenario) -> Arena {
    let config = SimRunConfig { players: PLAYERS, scenario, ..SimRunConfig::default() };
    let mut arena = Arena::new(&config).expect("a shipped map");
    for _ in 0..WARM_UP {
        arena.step();
    }
    arena
}

/// A battle, and what its players say in the next ticks.
pub struct Battlefield {
    arena: Arena,
    commands: Vec<Vec<Command>>,
}

impl Battlefield {
    /// 300 players.
    pub fn new(scenario: Scenario) -> Self {
        // What they say depends on what has happened: a twin of the battle has it happen first.
        let mut twin = arena(scenario);
        let mut say = |_| {
            let commands = twin.decide().to_vec();
            twin.battle.step(&commands);
            commands
        };
        Self { arena: arena(scenario), commands: (0..TICKS).map(&mut say).collect() }
    }

    /// Steps the battle through these ticks; gives how much happened.
    pub fn step(&mut self) -> usize {
        let Self { arena, commands } = self;
        commands.iter().map(|commands| arena.battle.step(commands).events.len()).sum()
    }
}

/// A battle, and who sees whom.
pub struct Onlookers {
    arena: Arena,
    visibility: Visibility,
}

impl Onlookers {
    /// 300 players, some ticks after the first look.
    pub fn new(scenario: Scenario) -> Self {
        let mut arena = arena(scenario);
        let mut visibility = Visibility::new(arena.battle.config());
        for _ in 0..TICKS {
            arena.step();
            visibility.update(arena.battle.view(), &arena.field, None);
        }
        Self { arena, visibility }
    }

    /// Looks a few times; gives the pairs of player and visible entity.
    pub fn look(&mut self) -> usize {
        let Self { arena, visibility } = self;
        let view = arena.battle.view();
        for _ in 0..TICKS {
            visibility.update(view, &arena.field, None);
        }
        view.soldiers.iter().map(|row| visibility.visible(row.slot).len()).sum()
    }
}

/// Soldiers and rays on a map.
pub struct Walkers {
    field: Arc<Field>,
    bodies: Vec<Body>,
    rays: Rays,
}

impl Walkers {
    /// 200 soldiers and 500 rays on the map `ridge`.
    pub fn new() -> Self {
        let field = Arc::new(Field::new(ground::load("ridge").expect("a shipped map")));
        let side_m = field.map().size_m;
        let body = |number: usize| {
            let share = number as f32 / 200.0;
            let (x, z) = (side_m * share, side_m * (share * 7.3).fract());
            Body::at(Vec3::new(x, field.ground_y(x, z), z))
        };
        let bodies = (0..200).map(body).collect();
        let rays = Rays::new(&field, 500);
        Self { field, bodies, rays }
    }

    /// Everybody runs for 8 ticks; gives how many stand on the ground.
    pub fn run(&mut self) -> usize {
        let rules = MoveRules::default();
        for tick in 0..8_u16 {
            for (number, body) in (0_u16..).zip(&mut self.bodies) {
                let yaw = Yaw(number.wrapping_mul(331).wrapping_add(tick * 64));
                let intent = MoveIntent { forward: 1.0, yaw, ..MoveIntent::default() };
                step_body(body, &intent, &self.field, &rules, 1.0 / 60.0);
            }
        }
        self.bodies.iter().filter(|body| body.grounded).count()
    }

    /// Casts the rays; gives how many hit something.
    pub fn cast(&self) -> usize {
        self.rays.cast(&self.field)
    }
}

impl Default for Walkers {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sortie_sim::view::Status;

    #[test]
    fn there_is_something_to_count() {
        assert!(Onlookers::new(Scenario::Uniform).look() > PLAYERS * 30);
        let mut crush = Battlefield::new(Scenario::Crush);
        assert!(crush.step() > 0);
        let view = crush.arena.battle.view();
        let alive = view.soldiers.iter().filter(|row| row.status == Status::Alive).count();
        assert!(alive > PLAYERS / 3, "{alive}");
        let mut walkers = Walkers::new();
        assert!(walkers.run() > 100);
        assert!(walkers.cast() > 10);
    }
}
