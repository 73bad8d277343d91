//! Coding soldiers, and snapshots of them.

use std::hint::black_box;

use gungraun::prelude::*;
use gungraun::{Callgrind, library_benchmark_group, main};
use sortie_guard::kernels::{Coded, MAIN_STACK, PLAIN_GLIBC, SoldierRun};

#[library_benchmark]
#[bench::soldiers_63(SoldierRun::new())]
fn code(mut run: SoldierRun) -> SoldierRun {
    black_box(run.code());
    run
}

#[library_benchmark]
#[bench::clients_16(SoldierRun::new())]
fn write_run(run: SoldierRun) -> SoldierRun {
    black_box(run.write(16));
    run
}

#[library_benchmark]
#[bench::snapshots_32(Coded::new())]
fn encode(coded: Coded) -> Coded {
    black_box(coded.encode());
    coded
}

#[library_benchmark]
#[bench::snapshots_32(Coded::new())]
fn decode(mut coded: Coded) -> Coded {
    black_box(coded.decode());
    coded
}

library_benchmark_group!(name = codec, benchmarks = [code, write_run, encode, decode]);

main!(
    config = LibraryBenchmarkConfig::default()
        .envs(PLAIN_GLIBC)
        .tool(Callgrind::with_args([MAIN_STACK])),
    library_benchmark_groups = codec
);
