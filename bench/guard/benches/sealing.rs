//! Packets through a lane, and through its cipher alone.

use std::hint::black_box;

use gungraun::prelude::*;
use gungraun::{Callgrind, library_benchmark_group, main};
use sortie_guard::kernels::{Bare, Ends, MAIN_STACK, PLAIN_GLIBC};
use sortie_sealed::Side;

#[library_benchmark]
#[bench::bytes_389(Ends::new(Side::Server, 389))]
fn seal(mut ends: Ends) -> Ends {
    black_box(ends.seal());
    ends
}

#[library_benchmark]
#[bench::bytes_389(Bare::new(389))]
fn bare_seal(mut bare: Bare) -> Bare {
    black_box(bare.seal());
    bare
}

#[library_benchmark]
#[bench::bytes_40(Ends::sealed(Side::Client, 40))]
fn open(mut ends: Ends) -> Ends {
    black_box(ends.open());
    ends
}

#[library_benchmark]
#[bench::bytes_40(Bare::sealed(40))]
fn bare_open(mut bare: Bare) -> Bare {
    black_box(bare.open());
    bare
}

library_benchmark_group!(name = sealing, benchmarks = [seal, bare_seal, open, bare_open]);

main!(
    config = LibraryBenchmarkConfig::default()
        .envs(PLAIN_GLIBC)
        .tool(Callgrind::with_args([MAIN_STACK])),
    library_benchmark_groups = sealing
);
