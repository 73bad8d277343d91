//! The state of one soldier and of one prop: a file per piece, each with one owner.
//!
//! A player has one entity for the whole battle, with one fixed set of components
//! ([`Soldier`]); death and respawn change values, never the archetype. Systems find soldiers
//! through the [`Roster`] and props through the [`PropTable`], never by bevy's iteration order.

mod arsenal;
mod grudges;
mod identity;
mod intent;
mod pose;
mod prop;
mod squad_member;
mod stats;
mod vitals;

use bevy_ecs::prelude::{Bundle, Entity, Resource};

pub use arsenal::{Arsenal, CarriedWeapon};
pub use grudges::{Blow, Grudges};
pub use identity::Identity;
pub use intent::{Intent, Requests, SquadRequest};
pub use pose::{Border, Pose};
pub use prop::Prop;
pub use squad_member::SquadMember;
pub use stats::Stats;
pub use vitals::Vitals;

use crate::id::{EntityId, PlayerSlot};

/// Everything a player's entity has.
#[derive(Bundle, Clone, Debug, Default)]
pub struct Soldier {
    /// The player's account, slot and side.
    pub identity: Identity,
    /// The body that movement moves.
    pub pose: Pose,
    /// Time spent outside the map.
    pub border: Border,
    /// This tick's input.
    pub intent: Intent,
    /// What was asked for beside the input.
    pub requests: Requests,
    /// Health, armour, and whether it stands.
    pub vitals: Vitals,
    /// Who hurt it.
    pub grudges: Grudges,
    /// What is carried.
    pub arsenal: Arsenal,
    /// The squad.
    pub squad: SquadMember,
    /// The scoreboard line and what it is made of.
    pub stats: Stats,
}

/// The players in slot order: the one way to walk over all soldiers.
#[derive(Resource, Debug, Default)]
pub struct Roster {
    entities: Vec<Entity>,
}

impl Roster {
    /// The entity of a slot; `None` when nobody has taken it.
    pub fn get(&self, slot: PlayerSlot) -> Option<Entity> {
        self.entities.get(usize::from(slot.0)).copied()
    }

    /// All entities, index = slot.
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// Players that ever joined.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Whether nobody has joined yet.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// Gives the next free slot to `entity`.
    pub(crate) fn push(&mut self, entity: Entity) {
        self.entities.push(entity);
    }
}

/// The props in id order: the one way to walk over them. Ids are given once and never again.
#[derive(Resource, Debug)]
pub struct PropTable {
    rows: Vec<(EntityId, Entity)>,
    next_id: EntityId,
}

impl Default for PropTable {
    fn default() -> Self {
        Self { rows: Vec::new(), next_id: EntityId::FIRST_PROP }
    }
}

impl PropTable {
    /// The props, ids ascending.
    pub fn rows(&self) -> &[(EntityId, Entity)] {
        &self.rows
    }

    /// The entity behind an id, while it exists.
    pub fn get(&self, id: EntityId) -> Option<Entity> {
        let place = self.rows.binary_search_by_key(&id, |row| row.0).ok()?;
        Some(self.rows[place].1)
    }

    /// The id that the next prop gets.
    pub fn next_id(&self) -> EntityId {
        self.next_id
    }

    /// Reserves the next id. The prop of it must be [`insert`](Self::insert)ed this tick.
    pub fn reserve(&mut self) -> EntityId {
        let id = self.next_id;
        self.next_id.0 += 1;
        id
    }

    /// Lists a spawned prop. Ids come in ascending order.
    pub fn insert(&mut self, id: EntityId, entity: Entity) {
        debug_assert!(self.rows.last().is_none_or(|last| last.0 < id), "props come in id order");
        self.rows.push((id, entity));
    }

    /// Unlists a prop that is being despawned.
    pub fn remove(&mut self, id: EntityId) -> Option<Entity> {
        let place = self.rows.binary_search_by_key(&id, |row| row.0).ok()?;
        Some(self.rows.remove(place).1)
    }

    /// For restoring: the id counter of the saved battle.
    pub(crate) fn set_next_id(&mut self, next_id: EntityId) {
        self.next_id = next_id;
    }
}
