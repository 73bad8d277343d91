//! What a tick, a hash and a look around cost: `cargo run --release -p sortie-sim --example
//! tick_cost -- PLAYERS TICKS THREADS [1 = walk only]`. The benchmarks of record are in `bench/`;
//! this is the quick look while working on the simulation.

use std::sync::Arc;
use std::time::Duration;

use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::config::{Mode, SimConfig};
use sortie_sim::field::map::Map;
use sortie_sim::field::{Field, Yaw};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, Team, Tick};
use sortie_sim::interest::Visibility;
use sortie_sim::rng::{Rng, Stream};
use sortie_sim::view::{SoldierRow, Status};
use sortie_sim::{Battle, BattleSetup};

/// CPU time of this thread: other programs on the machine do not count. With more than one thread
/// it only counts the one that steps.
fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let mut argument = |default: usize| arguments.next().unwrap_or(default);
    let (players, ticks, threads) = (argument(1_000), argument(1_800), argument(1));
    let mode = if argument(0) == 1 { Mode::Walk } else { Mode::Conquest };
    let map = if players > 200 { "steppe" } else { "ridge" };
    let field = Arc::new(Field::new(Map::shipped(map).expect("shipped")));
    let config = SimConfig { mode, ..SimConfig::default() };
    let mut battle = Battle::new(BattleSetup { config, field, seed: 1, threads });
    let mut visibility = Visibility::new(battle.config());
    let mut costs = Costs::default();
    for tick in 1..=ticks as u32 {
        let commands = commands(&battle, tick, players as u16);
        let mut last = now();
        let start = last;
        battle.step_profiled(&commands, &mut |phase| {
            costs.add(phase, now() - last);
            last = now();
        });
        costs.add("step", now() - start);
        costs.time("hash", || battle.state_hash());
        costs.time("interest", || {
            visibility.update(battle.view(), battle.field(), battle.pool());
        });
        costs.rays += visibility.rays();
        costs.shown += visible_count(&visibility, players);
    }
    costs.print(ticks);
    println!("{:?}", battle.output().report);
    println!("hash {:016x}", battle.state_hash());
}

fn visible_count(visibility: &Visibility, players: usize) -> usize {
    (0..players as u16).map(|slot| visibility.visible(PlayerSlot(slot)).len()).sum()
}

/// Everybody goes for the nearest enemy and fires when near; a stand-in for real bots.
fn commands(battle: &Battle, tick: u32, players: u16) -> Vec<Command> {
    let view = battle.view();
    let mut commands = Vec::new();
    for slot in (0..players).map(PlayerSlot) {
        let mut push = |action| commands.push(Command { player: slot, action });
        let class = Class::ALL[usize::from(slot.0 % 4)];
        if tick == 1 {
            let team = Some(Team::ALL[usize::from(slot.0 % 2)]);
            push(Action::Join { key: PlayerKey(slot.0.into()), team, class });
        }
        let Some(me) = view.soldiers.get(usize::from(slot.0)) else { continue };
        if me.status != Status::Alive {
            push(Action::Spawn { at: SpawnAt::Base, class });
            push(Action::GiveUp);
            continue;
        }
        push(Action::Input(fight(battle, me, tick)));
    }
    commands
}

fn fight(battle: &Battle, me: &SoldierRow, tick: u32) -> Input {
    let points = &battle.field().map().points;
    let mut dice = Rng::new(9).dice(Tick(tick / 60), me.slot, Stream::Spread);
    let goal = points[(usize::from(me.slot.0) / 2) % points.len()].pos;
    let away = goal - me.body.pos;
    let near = away.x * away.x + away.z * away.z < 900.0;
    let turn = if near { dice.next_u64() as u16 } else { 0 };
    let buttons = if near { Buttons::FIRE } else { Buttons::SPRINT };
    Input {
        move_forward: 127,
        yaw: Yaw(Yaw::towards(away.x, away.z).0.wrapping_add(turn)),
        buttons,
        view_tick: Tick(tick.saturating_sub(6)),
        ..Input::default()
    }
}

#[derive(Default)]
struct Costs {
    rows: Vec<(&'static str, Vec<Duration>)>,
    rays: u64,
    shown: usize,
}

impl Costs {
    fn add(&mut self, name: &'static str, took: Duration) {
        match self.rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.1.push(took),
            None => self.rows.push((name, vec![took])),
        }
    }

    fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) {
        let start = now();
        std::hint::black_box(work());
        self.add(name, now() - start);
    }

    fn print(&mut self, ticks: usize) {
        println!("{:>10} {:>9} {:>9} {:>9}", "µs", "p50", "p99", "max");
        for (name, took) in &mut self.rows {
            // The first second is everybody joining.
            let mut took: Vec<_> = took.drain(took.len().min(60)..).collect();
            took.sort_unstable();
            let at = |share: f64| {
                let place = (took.len().saturating_sub(1)) as f64 * share;
                took.get(place as usize).map_or(0.0, |took| took.as_secs_f64() * 1e6)
            };
            println!("{name:>10} {:>9.1} {:>9.1} {:>9.1}", at(0.5), at(0.99), at(1.0));
        }
        let per_tick = |count: f64| count / ticks as f64;
        println!(
            "rays a tick {:.0}, shown a tick {:.0}",
            per_tick(self.rays as f64),
            per_tick(self.shown as f64)
        );
    }
}
