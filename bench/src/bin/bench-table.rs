//! Prints the benchmark table in Markdown: `cargo run --release -p sortie-bench --bin bench-table`.
//!
//! `--quick` runs everything small, `--only NAME` one section. Figures are CPU times unless they
//! say otherwise; `docs/benchmarks.md` says how to read them.

use std::alloc::System;
use std::process::ExitCode;

use sortie_bench::measure::suite::{SECTIONS, Size, SuiteRun};
use sortie_bench::measure::table;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts allocations.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let (mut size, mut only) = (Size::Full, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => size = Size::Quick,
            "--only" => only = arguments.next(),
            _ => {
                let names: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
                eprintln!("bench-table [--quick] [--only {}]", names.join("|"));
                return ExitCode::from(2);
            }
        }
    }
    let run = SuiteRun { size, allocations: || ALLOCATOR.stats().allocations as u64 };
    println!("{}", table::Provenance::here("bench-table"));
    let chosen = |name: &str| only.as_deref().is_none_or(|only| only == name);
    for section in SECTIONS.iter().filter(|section| chosen(section.name)) {
        eprintln!("{} …", section.name);
        match (section.rows)(&run) {
            Ok(rows) => println!("{}", table::section(section.title, &rows)),
            Err(error) => {
                eprintln!("bench-table: {}: {error}", section.name);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
