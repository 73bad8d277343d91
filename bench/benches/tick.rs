//! One tick of the simulation with its players' decisions, and what it allocates.

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use sortie_players::headless::{Arena, SimRunConfig};
use sortie_players::scenario::Scenario;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench(args = [100, 500, 1_000], sample_count = 60, sample_size = 1)]
fn constant_density(bencher: Bencher, players: usize) {
    tick(bencher, players, Scenario::Uniform);
}

#[divan::bench(args = [100, 500, 1_000], sample_count = 60, sample_size = 1)]
fn one_crowd(bencher: Bencher, players: usize) {
    tick(bencher, players, Scenario::Crush);
}

/// Items are players.
fn tick(bencher: Bencher, players: usize, scenario: Scenario) {
    let config = SimRunConfig { players, scenario, ..SimRunConfig::default() };
    let mut arena = Arena::new(&config).expect("a shipped map");
    for _ in 0..180 {
        arena.step();
    }
    bencher.counter(ItemsCount::new(players)).bench_local(|| {
        arena.step();
    });
}
