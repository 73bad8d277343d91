//! Movement for clients: the simulation's own, with the rules that the welcome brought.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use sortie_field::{Field, Map, Vec3, body::MoveIntent, push_body, step_body};
use sortie_session::predict::{Neighbour, Predict, UnusableRules};
use sortie_sim::{
    config::SimConfig,
    id::{PlayerSlot, Tick},
    movement::wish,
    rng::Rng,
    separation::SeparationGrid,
};
use sortie_wire::{
    input::InputCommand,
    state::{SelfState, status},
};

use crate::{
    input::sim_input,
    own::{body, with_body},
};

/// A slot that no neighbour has.
const SELF: PlayerSlot = PlayerSlot(u16::MAX);

/// Battlefields by their document, shared by the clients of one process.
#[derive(Clone, Default)]
pub struct Fields(Arc<Mutex<BTreeMap<String, Arc<Field>>>>);

impl Fields {
    /// The field of a map document.
    ///
    /// # Errors
    /// The document is no map.
    pub fn of(&self, document: &str) -> Result<Arc<Field>, UnusableRules> {
        // Nobody panics while holding it.
        let mut fields = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(field) = fields.get(document) {
            return Ok(Arc::clone(field));
        }
        let map = Map::parse(document).map_err(|error| UnusableRules(error.to_string()))?;
        let field = Arc::new(Field::new(map));
        fields.insert(document.to_owned(), Arc::clone(&field));
        Ok(field)
    }
}

/// [`Predict`] by the simulation's movement.
#[derive(Default)]
pub struct Predictor {
    fields: Fields,
    ground: Option<Ground>,
    grid: SeparationGrid,
}

struct Ground {
    field: Arc<Field>,
    rules: SimConfig,
    dt_s: f32,
}

impl Predictor {
    /// A predictor that shares battlefields with others.
    pub fn new(fields: Fields) -> Self {
        Self { fields, ..Self::default() }
    }

    /// The battlefield, after a welcome.
    pub fn field(&self) -> Option<&Arc<Field>> {
        self.ground.as_ref().map(|ground| &ground.field)
    }

    /// The rules, after a welcome.
    pub fn rules(&self) -> Option<&SimConfig> {
        self.ground.as_ref().map(|ground| &ground.rules)
    }
}

impl Predict for Predictor {
    fn prepare(&mut self, map: &str, rules: &str, tick_hz: u16) -> Result<(), UnusableRules> {
        let field = self.fields.of(map)?;
        let rules = SimConfig::parse(rules).map_err(|error| UnusableRules(error.to_string()))?;
        self.ground = Some(Ground { field, rules, dt_s: 1.0 / f32::from(tick_hz) });
        Ok(())
    }

    fn step(&mut self, own: &mut SelfState, input: &InputCommand, neighbours: &[Neighbour]) {
        let Some(Ground { field, rules, dt_s }) = &self.ground else { return };
        let mut moved = body(own);
        let input = sim_input(input);
        let intent = match own.status {
            status::ALIVE => wish(&input),
            status::DOWN => MoveIntent { yaw: input.yaw, ..MoveIntent::default() },
            _ => return,
        };
        if own.status == status::ALIVE && !neighbours.is_empty() {
            let others = neighbours
                .iter()
                .map(|other| (PlayerSlot(other.id as u16), Vec3::from_array(other.pos)));
            self.grid.build(rules.body.personal_space_m, others);
            // Chance decides only between two on one spot, and no client knows the battle's.
            let (rng, tick) = (Rng::new(0), Tick(0));
            let push = self.grid.push_on(SELF, moved.pos, &rules.body, &rng, tick);
            push_body(&mut moved, push.velocity_mps * *dt_s, field, &rules.movement);
        }
        step_body(&mut moved, &intent, field, &rules.movement, *dt_s);
        *own = with_body(*own, &moved);
    }
}
