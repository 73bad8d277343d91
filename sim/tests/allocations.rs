//! A battle in its stride asks for no memory. A crate of its own, since it counts for the whole
//! process.

use std::alloc::System;
use std::sync::Arc;

use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::config::SimConfig;
use sortie_sim::field::map::Map;
use sortie_sim::field::{Field, Yaw};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, Tick};
use sortie_sim::interest::Visibility;
use sortie_sim::view::Status;
use sortie_sim::{Battle, BattleSetup};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PLAYERS: u16 = 64;
const WARM_UP_TICKS: u32 = 1_800;
const TICKS: u32 = 600;

/// Everybody runs to the first point and fires there; the dead come back.
fn commands(battle: &Battle, commands: &mut Vec<Command>) {
    commands.clear();
    let tick = Tick(battle.tick().0 + 1);
    let class = |slot: PlayerSlot| Class::ALL[usize::from(slot.0 % 4)];
    for slot in (0..PLAYERS).map(PlayerSlot) {
        let mut push = |action| commands.push(Command { player: slot, action });
        let Some(me) = battle.view().soldiers.get(usize::from(slot.0)) else {
            push(Action::Join { key: PlayerKey(slot.0.into()), team: None, class: class(slot) });
            continue;
        };
        if me.status != Status::Alive {
            push(Action::Spawn { at: SpawnAt::Base, class: class(slot) });
            push(Action::GiveUp);
            continue;
        }
        let away = battle.field().map().points[0].pos - me.body.pos;
        let near = away.x * away.x + away.z * away.z < 400.0;
        let turn = if near {
            slot.0.wrapping_mul(7_919).wrapping_add((tick.0 as u16).wrapping_mul(97))
        } else {
            0
        };
        push(Action::Input(Input {
            move_forward: 127,
            yaw: Yaw(Yaw::towards(away.x, away.z).0.wrapping_add(turn)),
            buttons: if near { Buttons::FIRE } else { Buttons::SPRINT },
            view_tick: tick,
            ..Input::default()
        }));
    }
}

#[test]
fn a_battle_in_its_stride_asks_for_no_memory() {
    let field = Arc::new(Field::new(Map::plain(192.0)));
    let setup = BattleSetup { config: SimConfig::default(), field, seed: 1, threads: 1 };
    let mut battle = Battle::new(setup);
    let mut visibility = Visibility::new(battle.config());
    let mut inbox = Vec::new();
    let mut counts = [0; 3];
    for tick in 0..WARM_UP_TICKS + TICKS {
        commands(&battle, &mut inbox);
        let region = Region::new(ALLOCATOR);
        battle.step(&inbox);
        let stepped = region.change();
        std::hint::black_box(battle.state_hash());
        let hashed = region.change();
        visibility.update(battle.view(), battle.field(), None);
        let seen = region.change();
        if tick >= WARM_UP_TICKS {
            counts[0] += stepped.allocations + stepped.reallocations;
            counts[1] += hashed.allocations + hashed.reallocations;
            counts[2] += seen.allocations + seen.reallocations;
        }
    }
    let [step, hash, interest] = [counts[0], counts[1] - counts[0], counts[2] - counts[1]];
    println!("in {TICKS} ticks: step {step}, hash {hash}, interest {interest}");
    assert_eq!(hash, 0);
    // Buffers still grow when a record is broken: more shots in a tick than ever, say.
    assert!(step <= TICKS as usize / 10, "{step} allocations by steps");
    assert!(interest <= TICKS as usize / 10, "{interest} allocations by interest");
}
