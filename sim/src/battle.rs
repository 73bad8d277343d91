//! The battle: the one type that the rest of the world drives.

mod checkpoint;

use std::sync::Arc;

use bevy_ecs::prelude::*;
use sortie_field::Field;

use crate::combat::{Bodies, Combat, History};
use crate::command::{Action, Command};
use crate::components::{PropTable, Roster, Stats};
use crate::config::SimConfig;
use crate::event::TickOutput;
use crate::hash::Mixer;
use crate::id::{PlayerKey, PlayerSlot, Team, Tick};
use crate::movement::MoveRows;
use crate::objective::{Round, battle_end, next_round};
use crate::place::{Place, place_of};
use crate::publish::PublishedView;
use crate::receive::Inbox;
use crate::region::{Leaf, Regions};
use crate::rng::Rng;
use crate::schedule::Timetable;
use crate::separation::SeparationGrid;
use crate::state::StateReader;
use crate::transient::{Deaths, Departures, EventLog, Work, Wounds};
use crate::view::{RoundState, Status, View};
use crate::workers::Workers;
use crate::world::{Clock, Ground, Rules};
use crate::{combat, movement, objective, publish, receive, region, spawn, walk};

pub use checkpoint::RestoreError;

/// What a battle is made from. Equal setups and equal commands give equal battles; `threads` is
/// free.
#[derive(Clone)]
pub struct BattleSetup {
    /// Rules that the battle is fought by.
    pub config: SimConfig,
    /// Ground and obstacles.
    pub field: Arc<Field>,
    /// The root of all chance.
    pub seed: u64,
    /// Threads that a step may use; 0 and 1 mean the caller's alone.
    pub threads: usize,
}

/// A deterministic battle, stepped by ordered commands. Plain data: it may move between threads.
pub struct Battle {
    world: World,
    timetable: Timetable,
    reader: StateReader,
    output: TickOutput,
    seed: u64,
}

impl Battle {
    /// A battle at tick 0 without players.
    ///
    /// # Panics
    /// `config` is not [valid](SimConfig::validate); parsed ones always are.
    pub fn new(setup: BattleSetup) -> Self {
        Self::with_timetable(setup, |_| {})
    }

    /// The same, with a hand on the schedules before they are built: for tests that shuffle the
    /// order of systems that claim to be independent.
    pub fn with_timetable(setup: BattleSetup, tune: impl FnOnce(&mut Timetable)) -> Self {
        if let Err(error) = setup.config.validate() {
            panic!("a battle needs valid rules: {error}");
        }
        let mut world = World::new();
        insert_resources(&mut world, &setup);
        let mut timetable = timetable_of_battle();
        tune(&mut timetable);
        timetable.initialize(&mut world);
        let reader = StateReader::new(&mut world);
        Self { world, timetable, reader, output: TickOutput::default(), seed: setup.seed }
    }

    /// Steps one tick: [`tick`](Self::tick) goes up by one, and what happened comes out.
    ///
    /// `commands` are sorted by player slot; within a slot they apply in order. Unsorted ones are
    /// still deterministic, but two journals of one battle would no longer look alike.
    pub fn step(&mut self, commands: &[Command]) -> &TickOutput {
        self.step_profiled(commands, &mut |_| {})
    }

    /// The same; `at_boundary` is called with a phase's name when the phase has ended. The
    /// simulation knows no clock: the caller reads its own.
    pub fn step_profiled(
        &mut self,
        commands: &[Command],
        at_boundary: &mut dyn FnMut(&'static str),
    ) -> &TickOutput {
        debug_assert!(commands.is_sorted_by_key(|command| command.player));
        let inbox = &mut self.world.resource_mut::<Inbox>().0;
        inbox.clear();
        inbox.extend_from_slice(commands);
        self.timetable.run(&mut self.world, at_boundary);
        self.reader.follow(&self.world);
        self.output.tick = self.tick();
        self.output.report = self.world.resource::<Regions>().report();
        // The log is emptied when the next tick begins: the two buffers just take turns.
        std::mem::swap(&mut self.output.events, &mut self.world.resource_mut::<EventLog>().0);
        &self.output
    }

    /// The last tick stepped; 0 before the first. The next [`step`](Self::step) is this plus one.
    pub fn tick(&self) -> Tick {
        self.world.resource::<Clock>().tick
    }

    /// The world as it stands after the last tick.
    pub fn view(&self) -> &View {
        &self.world.resource::<PublishedView>().0
    }

    /// The place of a player in the next tick, `commands` being what that tick has so far.
    pub fn place_for(&self, key: PlayerKey, commands: &[Command]) -> Place {
        let rows = &self.view().soldiers;
        let joins = commands.iter().filter_map(|command| match command.action {
            Action::Join { key, .. } => Some((command.player, key)),
            _ => None,
        });
        let joins: Vec<(PlayerSlot, PlayerKey)> = joins.collect();
        let joins_again = |slot| joins.iter().any(|&(joining, _)| joining == slot);
        let known = rows.iter().map(|row| match row.status {
            Status::Left if joins_again(row.slot) => (row.key, Status::Waiting),
            status => (row.key, status),
        });
        let new = joins.iter().filter(|(slot, _)| usize::from(slot.0) >= rows.len());
        let new = new.map(|&(_, key)| (key, Status::Waiting));
        place_of(known.chain(new), key, self.config().players_max)
    }

    /// Who has won the battle: the team that won more of its rounds. `None` for a draw, and while
    /// a round is being fought.
    pub fn winner(&self) -> Option<Team> {
        self.world.resource::<Round>().winner()
    }

    /// Whether its last round has ended: no other follows.
    pub fn is_over(&self) -> bool {
        let (round, clock) = (self.world.resource::<Round>(), self.world.resource::<Clock>());
        let next = next_round(round, clock, &self.config().objective);
        round.state != RoundState::Running && next.is_none()
    }

    /// The last tick that the rules allow it; `None`: there is no such limit.
    pub fn last_tick(&self) -> Option<Tick> {
        battle_end(self.world.resource::<Clock>(), &self.config().objective)
    }

    /// What the last [`step`](Self::step) gave; empty before the first and after a restore.
    pub fn output(&self) -> &TickOutput {
        &self.output
    }

    /// All figures of a player, for the report after the round; `None` when nobody has the slot.
    pub fn stats(&self, slot: PlayerSlot) -> Option<&Stats> {
        let entity = self.world.resource::<Roster>().get(slot)?;
        self.world.get::<Stats>(entity)
    }

    /// Over all state. Equal battles have equal hashes on every tick.
    pub fn state_hash(&self) -> u64 {
        let mut mixer = Mixer::default();
        self.reader.save_world(&self.world, &mut mixer);
        mixer.finish()
    }

    /// The rules.
    pub fn config(&self) -> &SimConfig {
        &self.world.resource::<Rules>().0
    }

    /// The battlefield.
    pub fn field(&self) -> &Arc<Field> {
        &self.world.resource::<Ground>().0
    }

    /// The root of all chance in it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The regions as they stand after the last tick.
    pub fn regions(&self) -> impl Iterator<Item = Leaf> + '_ {
        self.world.resource::<Regions>().leaves()
    }

    /// A hand inside, for unit tests that need a state which commands take long to bring about.
    #[cfg(test)]
    pub(crate) fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// The threads that steps use, for other work between steps; `None` when there is one.
    pub fn pool(&self) -> Option<&rayon::ThreadPool> {
        self.world.resource::<Workers>().pool()
    }
}

/// Every system of the battle in its phase.
fn timetable_of_battle() -> Timetable {
    let mut timetable = Timetable::empty();
    receive::add_systems(&mut timetable);
    movement::add_systems(&mut timetable);
    walk::add_systems(&mut timetable);
    combat::add_systems(&mut timetable);
    objective::add_systems(&mut timetable);
    spawn::add_systems(&mut timetable);
    region::add_systems(&mut timetable);
    publish::add_systems(&mut timetable);
    timetable
}

fn insert_resources(world: &mut World, setup: &BattleSetup) {
    world.insert_resource(Clock::new(setup.config.tick_hz));
    world.insert_resource(Rng::new(setup.seed));
    world.insert_resource(Regions::new(setup.field.map().size_m));
    world.insert_resource(Ground(Arc::clone(&setup.field)));
    world.insert_resource(Workers::new(setup.threads));
    world.insert_resource(Rules(Arc::new(setup.config.clone())));
    world.init_resource::<Roster>();
    world.init_resource::<PropTable>();
    world.init_resource::<Inbox>();
    world.init_resource::<EventLog>();
    world.init_resource::<Wounds>();
    world.init_resource::<Deaths>();
    world.init_resource::<Departures>();
    world.init_resource::<Work>();
    world.init_resource::<MoveRows>();
    world.init_resource::<SeparationGrid>();
    world.init_resource::<PublishedView>();
    world.insert_resource(History::new(setup.config.history_ticks()));
    world.insert_resource(Round::new(setup.field.map().points.len()));
    world.init_resource::<Combat>();
    world.insert_resource(Bodies::new(setup.field.map().size_m));
}
