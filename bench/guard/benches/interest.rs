//! Who may know of whom.

use std::hint::black_box;

use gungraun::prelude::*;
use gungraun::{Callgrind, library_benchmark_group, main};
use sortie_guard::kernels::{MAIN_STACK, Onlookers, PLAIN_GLIBC};
use sortie_players::scenario::Scenario;

#[library_benchmark]
#[bench::circle_300(Onlookers::new(Scenario::Uniform))]
#[bench::conquest_300(Onlookers::new(Scenario::Conquest))]
#[bench::crush_300(Onlookers::new(Scenario::Crush))]
fn look(mut onlookers: Onlookers) -> Onlookers {
    black_box(onlookers.look());
    onlookers
}

library_benchmark_group!(name = interest, benchmarks = [look]);

main!(
    config = LibraryBenchmarkConfig::default()
        .envs(PLAIN_GLIBC)
        .tool(Callgrind::with_args([MAIN_STACK])),
    library_benchmark_groups = interest
);
