//! Regions follow the load: they split where it gets hot, merge where it has gone cold, and none
//! stays hotter than the ceiling for longer than the hysteresis allows.

use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::config::{Mode, RegionRules};
use sortie_sim::field::{Pitch, Yaw};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, Tick};
use sortie_sim::region::Leaf;
use sortie_sim::{Battle, BattleSetup};

use crate::support::{seed, setup};

const PLAYERS: u16 = 300;
const SIZE_M: f32 = 256.0;

/// Everybody goes to one goal, and the goal goes across the map and back.
fn commands(battle: &Battle) -> Vec<Command> {
    let tick = Tick(battle.tick().0 + 1);
    let lap = (tick.0 % 2_400) as f32 / 1_200.0;
    let share = if lap < 1.0 { lap } else { 2.0 - lap };
    // 5.6 m/s: those who sprint keep up with it.
    let goal = [75.0 + share * 100.0, 100.0 + share * 50.0];
    let mut commands = Vec::new();
    for slot in (0..PLAYERS).map(PlayerSlot) {
        let mut push = |action| commands.push(Command { player: slot, action });
        if tick.0 == 1 {
            let class = Class::Assault;
            push(Action::Join { key: PlayerKey(slot.0.into()), team: None, class });
            push(Action::Spawn { at: SpawnAt::Base, class });
            continue;
        }
        let pos = battle.view().soldiers[usize::from(slot.0)].body.pos;
        // A sunflower of 15 m around the goal: everybody has a place of their own.
        let (turn, out_m) = (2.4 * f32::from(slot.0), (0.75 * f32::from(slot.0)).sqrt());
        let (dx, dz) = (
            goal[0] + out_m * libm::cosf(turn) - pos.x,
            goal[1] + out_m * libm::sinf(turn) - pos.z,
        );
        push(Action::Input(Input {
            move_forward: if dx * dx + dz * dz > 0.25 { 127 } else { 0 },
            yaw: Yaw::towards(dx, dz),
            pitch: Pitch(0),
            buttons: Buttons::SPRINT,
            view_tick: tick,
            ..Input::default()
        }));
    }
    commands
}

#[derive(Debug, Default, PartialEq)]
struct Course {
    regions_max: u32,
    regions_last: u32,
    splits: u32,
    merges: u32,
    hot_ticks_max: u16,
    hashes: Vec<u64>,
}

fn course(setup: BattleSetup, ticks: u32) -> Course {
    let mut battle = Battle::new(setup);
    let mut course = Course::default();
    for _ in 0..ticks {
        let commands = commands(&battle);
        let report = battle.step(&commands).report;
        course.regions_max = course.regions_max.max(report.regions);
        course.regions_last = report.regions;
        course.splits += report.splits;
        course.merges += report.merges;
        let leaves: Vec<Leaf> = battle.regions().collect();
        let sum: u32 = leaves.iter().map(|leaf| leaf.load_units).sum();
        assert_eq!(sum, report.load_sum, "regions share out all load");
        let hottest = leaves.iter().map(|leaf| leaf.hot_ticks).max().unwrap_or_default();
        course.hot_ticks_max = course.hot_ticks_max.max(hottest);
        course.hashes.push(battle.state_hash());
    }
    course
}

#[test]
fn a_crowd_that_crosses_the_map_takes_its_regions_along() {
    let seed = seed(31);
    let mut moving = setup(Mode::Walk, SIZE_M, seed);
    moving.config.region = RegionRules {
        ceiling_units: 600,
        low_water_units: 300,
        split_after_ticks: 15,
        merge_after_ticks: 120,
        ..moving.config.region
    };
    let split_after = moving.config.region.split_after_ticks;
    let one = course(moving.clone(), 3_000);
    println!(
        "regions at most {}, at the end {}, splits {}, merges {}, hottest stretch {} ticks",
        one.regions_max, one.regions_last, one.splits, one.merges, one.hot_ticks_max
    );
    assert!(one.regions_max >= 8, "{} regions", one.regions_max);
    assert!(one.merges >= 10, "{} merges", one.merges);
    assert_eq!(one.regions_last, 1 + one.splits - one.merges);
    // Whoever has been hot for `split_after` ticks was split in that tick, and is cool.
    assert!(one.hot_ticks_max < split_after, "hot for {} ticks", one.hot_ticks_max);
    assert!(one.hot_ticks_max > 0, "regions were hot at all");
    for threads in [2, 4] {
        let many = course(BattleSetup { threads, ..moving.clone() }, 3_000);
        assert_eq!(one, many, "{threads} threads");
    }
}
