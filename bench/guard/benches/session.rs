//! Snapshots for clients: what a server does for every pair.

use std::hint::black_box;

use gungraun::prelude::*;
use gungraun::{Callgrind, library_benchmark_group, main};
use sortie_guard::kernels::{MAIN_STACK, PLAIN_GLIBC, Sessions};

#[library_benchmark]
#[bench::field_500_sees_64(Sessions::new(500, 100, 64))]
#[bench::crowd_1158_sees_all(Sessions::new(1_158, 20, 1_157))]
fn tell(mut sessions: Sessions) -> Sessions {
    black_box(sessions.tell());
    sessions
}

library_benchmark_group!(name = session, benchmarks = [tell]);

main!(
    config = LibraryBenchmarkConfig::default()
        .envs(PLAIN_GLIBC)
        .tool(Callgrind::with_args([MAIN_STACK])),
    library_benchmark_groups = session
);
