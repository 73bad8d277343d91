//! The order of a tick, in one place.
//!
//! A tick is the chain of [`Phase::ORDER`]. Modules hang their systems into phases through
//! [`Timetable::add`], and the battle calls all of these modules when it is made; inside a phase,
//! systems that touch the same data must be ordered by their module (`.chain()`, `.before`): an
//! ambiguity is an error when the battle is made. Phases never overlap, and what a phase defers
//! (spawns, despawns) is done when it ends.

use bevy_ecs::prelude::{IntoScheduleConfigs, Schedule, World};
use bevy_ecs::schedule::{InternedScheduleLabel, LogLevel, ScheduleBuildSettings, ScheduleLabel};
use bevy_ecs::system::ScheduleSystem;

/// A stage of the tick.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Last tick's facts are cleared, this tick's commands become joins, intents and requests.
    Receive,
    /// Bodies move; the grid of soldiers is built.
    Move,
    /// Hands act: reload, switch, throw; triggers are pulled.
    Fire,
    /// Projectiles and props meet what stands in their way.
    Hit,
    /// Damage is applied: down, dead, revived, healed.
    Damage,
    /// Points, tickets, squads, scores, spawn waves: the mode of the round.
    Objective,
    /// Regions take up the tick's load, split and merge.
    Region,
    /// The view's rows are filled.
    View,
}

impl Phase {
    /// The order of a tick.
    pub const ORDER: [Self; 8] = [
        Self::Receive,
        Self::Move,
        Self::Fire,
        Self::Hit,
        Self::Damage,
        Self::Objective,
        Self::Region,
        Self::View,
    ];

    /// Its name in profiles and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Move => "move",
            Self::Fire => "fire",
            Self::Hit => "hit",
            Self::Damage => "damage",
            Self::Objective => "objective",
            Self::Region => "region",
            Self::View => "view",
        }
    }
}

/// One bevy schedule a phase, run in [`Phase::ORDER`].
pub struct Timetable {
    phases: Vec<(Phase, Schedule)>,
}

impl Timetable {
    /// All phases, nothing in them.
    pub fn empty() -> Self {
        let phase = |phase: Phase| {
            let mut schedule = Schedule::new(phase.intern());
            schedule.set_build_settings(ScheduleBuildSettings {
                ambiguity_detection: LogLevel::Error,
                ..ScheduleBuildSettings::default()
            });
            (phase, schedule)
        };
        Self { phases: Phase::ORDER.into_iter().map(phase).collect() }
    }

    /// Hangs systems into a phase.
    pub fn add<M>(
        &mut self,
        phase: Phase,
        systems: impl IntoScheduleConfigs<ScheduleSystem, M>,
    ) -> &mut Self {
        self.schedule_mut(phase).add_systems(systems);
        self
    }

    /// The bevy schedule of a phase, for tests that shuffle it.
    pub fn schedule_mut(&mut self, phase: Phase) -> &mut Schedule {
        let label: InternedScheduleLabel = phase.intern();
        let place = self.phases.iter_mut().find(|(_, schedule)| schedule.label() == label);
        &mut place.expect("every phase has a schedule").1
    }

    /// Builds every schedule now, so that an ambiguity shows before the first tick.
    pub(crate) fn initialize(&mut self, world: &mut World) {
        for (phase, schedule) in &mut self.phases {
            if let Err(error) = schedule.initialize(world) {
                let reason = error.to_string(schedule.graph(), world);
                panic!("phase {} has no sound order: {reason}", phase.name());
            }
        }
    }

    /// Runs one tick; `at_boundary` hears of each phase when it has ended.
    pub(crate) fn run(&mut self, world: &mut World, at_boundary: &mut dyn FnMut(&'static str)) {
        for (phase, schedule) in &mut self.phases {
            schedule.run(world);
            at_boundary(phase.name());
        }
    }
}
