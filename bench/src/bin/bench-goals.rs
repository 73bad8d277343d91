//! The goals of `docs/benchmarks.md`, measured: `cargo run --release -p sortie-bench --bin
//! bench-goals`.
//!
//! Prints one table of goals with medians, spread and the correctness guard beside each, and
//! writes everything as JSON with `--json FILE`. `--charts DIR FILE…` draws such files.

use std::alloc::System;
use std::process::ExitCode;

use sortie_bench::goals;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts allocations.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let allocations = || ALLOCATOR.stats().allocations as u64;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{}", goals::USAGE);
        return ExitCode::SUCCESS;
    }
    match goals::command(&arguments, allocations) {
        Ok(()) => ExitCode::SUCCESS,
        Err(goals::Error::Usage(message)) => {
            eprintln!("bench-goals: {message}\n\n{}", goals::USAGE);
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("bench-goals: {error}");
            ExitCode::FAILURE
        }
    }
}
