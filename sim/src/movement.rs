//! Bodies move: what the player wants, what the neighbours push, what the ground allows.
//!
//! Soldiers are gathered into dense rows by region, regions are stepped in parallel, and the rows
//! are scattered back. A row reads only its own state and what stood fast when the tick began.

mod border;

use bevy_ecs::prelude::*;
use sortie_field::body::{Body, MoveIntent, MoveRules};
use sortie_field::{Field, Vec2, push_body, step_body};

use crate::command::{Buttons, Input};
use crate::components::{Identity, Intent, Pose, Roster, Stats, Vitals};
use crate::config::BodyRules;
use crate::id::{PlayerSlot, Tick};
use crate::region::Regions;
use crate::rng::Rng;
use crate::schedule::{Phase, Timetable};
use crate::separation::SeparationGrid;
use crate::transient::{Cause, Work, Wound, Wounds};
use crate::workers::Workers;
use crate::world::{Clock, Ground, Rules};

/// Work units of moving one soldier; a candidate for a push counts one.
const STEP_UNITS: u32 = 16;

/// The soldiers of this tick that have bodies in the field, region after region.
#[derive(Resource, Debug, Default)]
pub struct MoveRows {
    /// In slot order, as gathered.
    gathered: Vec<MoveRow>,
    /// The same, region after region.
    rows: Vec<MoveRow>,
}

/// One soldier on its way through the tick.
#[derive(Clone, Copy, Debug, Default)]
struct MoveRow {
    slot: PlayerSlot,
    body: Body,
    intent: MoveIntent,
    /// The downed lie where they are: nobody pushes them.
    pushed: bool,
    /// Results.
    fall_m: Option<f32>,
    moved_m: f32,
    candidates: u32,
}

pub(crate) fn add_systems(timetable: &mut Timetable) {
    timetable.add(
        Phase::Move,
        (gather_rows, step_rows, scatter_rows, hurt_fallen, border::watch_border).chain(),
    );
}

fn gather_rows(
    roster: Res<Roster>,
    rules: Res<Rules>,
    soldiers: Query<(&Identity, &Pose, &Intent, &Vitals)>,
    mut moving: ResMut<MoveRows>,
    mut grid: ResMut<SeparationGrid>,
    mut regions: ResMut<Regions>,
) {
    let MoveRows { gathered, rows } = &mut *moving;
    gathered.clear();
    for (identity, pose, intent, vitals) in soldiers.iter_many(roster.entities()).flatten() {
        if !vitals.in_field() {
            continue;
        }
        let (intent, pushed) = match vitals.alive() {
            true => (wish(&intent.input), true),
            // The downed stay where they fall.
            false => (MoveIntent { yaw: intent.input.yaw, ..MoveIntent::default() }, false),
        };
        let slot = identity.slot;
        gathered.push(MoveRow { slot, body: pose.0, intent, pushed, ..MoveRow::default() });
    }
    let pushing = gathered.iter().filter(|row| row.pushed);
    grid.build(rules.body.personal_space_m, pushing.map(|row| (row.slot, row.body.pos)));
    regions.sort(gathered, |row| row.body.pos, rows);
}

/// What an input wants of the body. Clients predict with the same.
pub fn wish(input: &Input) -> MoveIntent {
    MoveIntent {
        right: f32::from(input.move_right) / 127.0,
        forward: f32::from(input.move_forward) / 127.0,
        yaw: input.yaw,
        jump: input.buttons.contains(Buttons::JUMP),
        crouch: input.buttons.contains(Buttons::CROUCH),
        sprint: input.buttons.contains(Buttons::SPRINT),
    }
}

fn step_rows(
    mut moving: ResMut<MoveRows>,
    grid: Res<SeparationGrid>,
    regions: Res<Regions>,
    workers: Res<Workers>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    rng: Res<Rng>,
    clock: Res<Clock>,
) {
    let step = Step {
        grid: &grid,
        field: &ground,
        movement: &rules.movement,
        bodies: &rules.body,
        rng: &rng,
        tick: clock.tick,
        dt_s: clock.dt_s,
    };
    workers.for_each_group(&mut moving.rows, regions.groups(), |_, rows| {
        rows.iter_mut().for_each(|row| step.soldier(row));
    });
}

/// Everything that stands fast while bodies move.
struct Step<'a> {
    grid: &'a SeparationGrid,
    field: &'a Field,
    movement: &'a MoveRules,
    bodies: &'a BodyRules,
    rng: &'a Rng,
    tick: Tick,
    dt_s: f32,
}

impl Step<'_> {
    fn soldier(&self, row: &mut MoveRow) {
        let before = row.body.pos;
        if row.pushed {
            let push = self.grid.push_on(row.slot, before, self.bodies, self.rng, self.tick);
            row.candidates = push.candidates;
            if push.velocity_mps != Vec2::ZERO {
                let by = push.velocity_mps * self.dt_s;
                push_body(&mut row.body, by, self.field, self.movement);
            }
        }
        row.fall_m = step_body(&mut row.body, &row.intent, self.field, self.movement, self.dt_s);
        let moved = row.body.pos - before;
        row.moved_m = Vec2::new(moved.x, moved.z).length();
    }
}

fn scatter_rows(
    roster: Res<Roster>,
    moving: Res<MoveRows>,
    mut soldiers: Query<(&mut Pose, &mut Stats)>,
    mut work: ResMut<Work>,
) {
    for row in &moving.rows {
        let Some(entity) = roster.get(row.slot) else { continue };
        let Ok((mut pose, mut stats)) = soldiers.get_mut(entity) else { continue };
        pose.0 = row.body;
        stats.distance_m += row.moved_m;
        work.add(row.slot, STEP_UNITS + row.candidates);
    }
}

/// Falls hurt in proportion to what they exceed the safe height by.
fn hurt_fallen(mut moving: ResMut<MoveRows>, rules: Res<Rules>, mut wounds: ResMut<Wounds>) {
    let body = &rules.body;
    // In slot order, whatever the regions are: `gathered` has it, `rows` has the falls.
    let MoveRows { gathered, rows } = &mut *moving;
    let hard = |row: &&MoveRow| row.fall_m.is_some_and(|fall_m| fall_m > body.fall_safe_m);
    gathered.clear();
    gathered.extend(rows.iter().filter(hard));
    gathered.sort_unstable_by_key(|row| row.slot);
    for row in gathered.iter() {
        let excess_m = row.fall_m.unwrap_or_default() - body.fall_safe_m;
        let damage_hp = 100.0 * excess_m / (body.fall_deadly_m - body.fall_safe_m);
        wounds.0.push(Wound { victim: row.slot, by: row.slot, damage_hp, cause: Cause::Fall });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sortie_field::map::Map;
    use sortie_field::{Vec2, Vec3, Yaw};

    use super::*;
    use crate::command::{Action, Command, SpawnAt};
    use crate::config::{Mode, SimConfig};
    use crate::event::Event;
    use crate::id::{Class, PlayerKey};
    use crate::view::Status;
    use crate::{Battle, BattleSetup};

    const SLOT: PlayerSlot = PlayerSlot(0);

    /// One soldier at `pos` on a plain of 64 m, whose border is 10 m inside its edge.
    fn battle(mode: Mode, pos: Vec3) -> Battle {
        let mut map = Map::plain(64.0);
        map.boundary = [(10.0, 10.0), (54.0, 10.0), (54.0, 54.0), (10.0, 54.0)]
            .map(|(x, z)| Vec2::new(x, z))
            .to_vec();
        let field = Arc::new(Field::new(map));
        let config = SimConfig { mode, ..SimConfig::default() };
        let mut battle = Battle::new(BattleSetup { config, field, seed: 1, threads: 1 });
        let class = Class::Assault;
        let join = Action::Join { key: PlayerKey(1), team: None, class };
        let spawn = Action::Spawn { at: SpawnAt::Base, class };
        battle.step(&[join, spawn].map(|action| Command { player: SLOT, action }));
        while battle.view().soldiers[0].status != Status::Alive {
            battle.step(&[]);
        }
        let entity = battle.world_mut().resource::<Roster>().get(SLOT).expect("joined");
        battle.world_mut().get_mut::<Pose>(entity).expect("a soldier").0 = Body::at(pos);
        battle
    }

    fn walk(forward: i8, towards: Yaw) -> [Command; 1] {
        let input = Input { move_forward: forward, yaw: towards, ..Input::default() };
        [Command { player: SLOT, action: Action::Input(input) }]
    }

    #[test]
    fn falls_hurt_by_what_they_exceed_the_safe_height_by() {
        let health_after = |height_m: f32| {
            let mut battle = battle(Mode::Conquest, Vec3::new(32.0, height_m, 32.0));
            for _ in 0..180 {
                battle.step(&[]);
            }
            let me = battle.view().soldiers[0];
            assert!(me.body.grounded);
            (me.status, me.health_hp)
        };
        assert_eq!(health_after(4.9), (Status::Alive, 100));
        assert_eq!(health_after(10.0), (Status::Alive, 50));
        assert_eq!(health_after(15.1), (Status::Down, 0));
    }

    #[test]
    fn whoever_stays_outside_the_border_dies_in_its_time() {
        let mut battle = battle(Mode::Conquest, Vec3::new(5.0, 0.0, 32.0));
        let limit = (battle.config().body.border_s * 60.0) as u32;
        for _ in 0..limit {
            battle.step(&[]);
            assert_eq!(battle.view().soldiers[0].status, Status::Alive);
        }
        let events = &battle.step(&[]).events;
        assert!(events.contains(&Event::Died { victim: SLOT }), "{events:?}");
        assert_eq!(battle.view().soldiers[0].status, Status::Waiting);
    }

    #[test]
    fn whoever_returns_in_time_starts_anew() {
        let mut battle = battle(Mode::Conquest, Vec3::new(9.0, 0.0, 32.0));
        let east = Yaw(16_384);
        for lap in 0..4 {
            // Nine seconds out, then in, then out again.
            for tick in 0..660 {
                let inside = (540..620).contains(&tick);
                let way = if inside { 127 } else { -127 };
                let go = if tick < 500 { 0 } else { way };
                battle.step(&walk(go, east));
                assert_eq!(battle.view().soldiers[0].status, Status::Alive, "{lap} {tick}");
            }
        }
    }

    #[test]
    fn on_a_walk_nothing_hurts() {
        let mut battle = battle(Mode::Walk, Vec3::new(5.0, 30.0, 32.0));
        for _ in 0..900 {
            battle.step(&[]);
        }
        let me = battle.view().soldiers[0];
        assert_eq!((me.status, me.health_hp), (Status::Alive, 100));
    }

    #[test]
    fn a_soldier_moves_by_its_input_and_no_faster_than_the_rules() {
        let mut battle = battle(Mode::Walk, Vec3::new(20.0, 0.0, 32.0));
        let east = Yaw(16_384);
        let mut last = battle.view().soldiers[0].body.pos;
        for tick in 0..120 {
            battle.step(&walk(127, east));
            let pos = battle.view().soldiers[0].body.pos;
            if tick > 0 {
                assert!((pos - last).length() <= 5.0 / 60.0 + 1e-4);
            }
            last = pos;
        }
        assert!((29.5..=30.0).contains(&last.x), "two seconds at 5 m/s, less the start: {last}");
        // Without an input nobody walks on.
        for _ in 0..10 {
            battle.step(&[]);
        }
        assert_eq!(battle.view().soldiers[0].body.vel, Vec3::ZERO);
    }
}
