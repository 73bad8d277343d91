//! The one listing of all state: what the hash covers is what a checkpoint holds.
//!
//! Everything that lives longer than a tick stands in [`save_world`] and, in the same order, in
//! [`load_world`]. Rules, ground, seed and threads are given from outside; facts, the view and
//! scratch are rebuilt by every tick.

use bevy_ecs::prelude::*;

use crate::codec::{Corrupt, Saved, Sink, Source};
use crate::combat::History;
use crate::components::{
    Arsenal, Border, Grudges, Identity, Intent, Pose, Prop, PropTable, Requests, Roster, Soldier,
    SquadMember, Stats, Vitals,
};
use crate::id::{EntityId, PLAYERS_MAX, PlayerSlot, Tick, WeaponId};
use crate::objective::Round;
use crate::region::{Regions, Tree};
use crate::transient::Work;
use crate::view::Status;
use crate::world::{Clock, Rules};

/// Every component of a soldier.
type SoldierState = (
    &'static Identity,
    &'static Pose,
    &'static Border,
    &'static Intent,
    &'static Requests,
    &'static Vitals,
    &'static Grudges,
    &'static Arsenal,
    &'static SquadMember,
    &'static Stats,
);

/// Prepared ways into the world, so that reading all state of it costs little.
#[derive(Debug)]
pub(crate) struct StateReader {
    soldiers: QueryState<SoldierState>,
    props: QueryState<&'static Prop>,
}

impl StateReader {
    pub(crate) fn new(world: &mut World) -> Self {
        Self { soldiers: world.query(), props: world.query() }
    }

    /// To be called after every tick: the first soldier and the first prop bring new archetypes.
    pub(crate) fn follow(&mut self, world: &World) {
        self.soldiers.update_archetypes(world);
        self.props.update_archetypes(world);
    }

    /// Gives all state to `sink`.
    pub(crate) fn save_world(&self, world: &World, sink: &mut impl Sink) {
        world.resource::<Clock>().tick.save(sink);
        let roster = world.resource::<Roster>();
        sink.put(roster.len() as u64, 4);
        let soldiers = self.soldiers.query_manual(world);
        for (identity, pose, border, intent, requests, vitals, grudges, arsenal, squad, stats) in
            soldiers.iter_many(roster.entities()).flatten()
        {
            identity.save(sink);
            pose.save(sink);
            border.save(sink);
            intent.save(sink);
            requests.save(sink);
            vitals.save(sink);
            grudges.save(sink);
            arsenal.save(sink);
            squad.save(sink);
            stats.save(sink);
        }
        let table = world.resource::<PropTable>();
        table.next_id().save(sink);
        sink.put(table.rows().len() as u64, 4);
        let props = self.props.query_manual(world);
        for prop in props.iter_many(table.rows().iter().map(|row| row.1)).flatten() {
            prop.save(sink);
        }
        world.resource::<Regions>().tree.save(sink);
        world.resource::<Round>().save(sink);
    }
}

/// Takes all state into a world that has none yet.
pub(crate) fn load_world(world: &mut World, source: &mut Source<'_>) -> Result<(), Corrupt> {
    world.resource_mut::<Clock>().tick = Tick::load(source)?;
    load_soldiers(world, source)?;
    load_props(world, source)?;
    world.resource_mut::<Regions>().tree = Tree::load(source)?;
    let round = Round::load(source)?;
    if round.points.len() != world.resource::<Round>().points.len() {
        return Err(Corrupt("it has other capture points"));
    }
    *world.resource_mut::<Round>() = round;
    *world.resource_mut::<History>() = History::load(source)?;
    if source.remaining() > 0 { Err(Corrupt("it goes on after its end")) } else { Ok(()) }
}

fn load_soldiers(world: &mut World, source: &mut Source<'_>) -> Result<(), Corrupt> {
    let count = source.take_count(PLAYERS_MAX)?;
    let mut present = 0;
    for slot in 0..count {
        // The fields are read in the order in which they are written here.
        let soldier = Soldier {
            identity: Identity::load(source)?,
            pose: Pose::load(source)?,
            border: Border::load(source)?,
            intent: Intent::load(source)?,
            requests: Requests::load(source)?,
            vitals: Vitals::load(source)?,
            grudges: Grudges::load(source)?,
            arsenal: Arsenal::load(source)?,
            squad: SquadMember::load(source)?,
            stats: Stats::load(source)?,
        };
        if soldier.identity.slot != PlayerSlot(slot as u16) {
            return Err(Corrupt("a soldier is in another's slot"));
        }
        if usize::from(soldier.arsenal.active) >= soldier.arsenal.weapons.len() {
            return Err(Corrupt("a soldier holds a weapon it does not have"));
        }
        if !soldier.arsenal.weapons.iter().all(|carried| is_known(carried.id, world)) {
            return Err(Corrupt("a soldier carries a weapon that the rules do not know"));
        }
        present += usize::from(soldier.vitals.status != Status::Left);
        let entity = world.spawn(soldier).id();
        world.resource_mut::<Roster>().push(entity);
        world.resource_mut::<Work>().0.push(0);
    }
    let players_max = world.resource::<Rules>().players_max;
    if present > usize::from(players_max) {
        return Err(Corrupt("more players are in it than its rules allow"));
    }
    Ok(())
}

fn is_known(weapon: WeaponId, world: &World) -> bool {
    usize::from(weapon.0) < world.resource::<Rules>().weapons.len()
}

fn load_props(world: &mut World, source: &mut Source<'_>) -> Result<(), Corrupt> {
    let next_id = EntityId::load(source)?;
    let count = source.take_count(1 << 16)?;
    let players = world.resource::<Roster>().len();
    let mut last = None;
    for _ in 0..count {
        let prop = Prop::load(source)?;
        let in_order = last < Some(prop.id) && prop.id >= EntityId::FIRST_PROP;
        if !in_order || prop.id >= next_id || usize::from(prop.owner.0) >= players {
            return Err(Corrupt("a prop is nobody's or out of order"));
        }
        if !is_known(prop.weapon, world) {
            return Err(Corrupt("a prop comes from a weapon that the rules do not know"));
        }
        last = Some(prop.id);
        let entity = world.spawn(prop).id();
        world.resource_mut::<PropTable>().insert(prop.id, entity);
    }
    if next_id < EntityId::FIRST_PROP {
        return Err(Corrupt("props' ids begin among soldiers'"));
    }
    world.resource_mut::<PropTable>().set_next_id(next_id);
    Ok(())
}
