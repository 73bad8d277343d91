//! Steps of a battle, and what they are made of.

use std::hint::black_box;

use gungraun::prelude::*;
use gungraun::{Callgrind, library_benchmark_group, main};
use sortie_guard::kernels::{Battlefield, MAIN_STACK, PLAIN_GLIBC, Walkers};
use sortie_players::scenario::Scenario;

#[library_benchmark]
#[bench::uniform_300(Battlefield::new(Scenario::Uniform))]
#[bench::crush_300(Battlefield::new(Scenario::Crush))]
fn step(mut battlefield: Battlefield) -> Battlefield {
    black_box(battlefield.step());
    battlefield
}

#[library_benchmark]
#[bench::soldiers_200(Walkers::new())]
fn walk(mut walkers: Walkers) -> Walkers {
    black_box(walkers.run());
    walkers
}

#[library_benchmark]
#[bench::rays_500(Walkers::new())]
fn cast(walkers: Walkers) -> Walkers {
    black_box(walkers.cast());
    walkers
}

library_benchmark_group!(name = simulation, benchmarks = [step, walk, cast]);

main!(
    config = LibraryBenchmarkConfig::default()
        .envs(PLAIN_GLIBC)
        .tool(Callgrind::with_args([MAIN_STACK])),
    library_benchmark_groups = simulation
);
