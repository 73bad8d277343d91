//! `sortie-guard KERNELS [--accept DAY WHY]`: counts, and compares with what is committed.
//!
//! `KERNELS` is the file with what the benchmarks of this crate printed; `infra/guard` makes it.

use std::alloc::System;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use sortie_guard::compare::{TOLERANCE, compare};
use sortie_guard::measured::Figures;
use sortie_guard::{counts, measured};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts allocations.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BASELINE: &str = "bench/guard/baseline.toml";
const NOTES: &str = "bench/guard/notes.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [kernels] => figures(kernels).and_then(|now| check(&now)),
        [kernels, "--accept", day, why] if !why.trim().is_empty() => {
            figures(kernels).and_then(|now| accept(&now, day, why))
        }
        _ => {
            eprintln!("sortie-guard KERNELS [--accept DAY WHY]; infra/guard calls it");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sortie-guard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn figures(kernels: &str) -> Result<Figures, Box<dyn Error>> {
    let text = fs::read_to_string(kernels).map_err(|error| format!("{kernels}: {error}"))?;
    let mut figures = measured::kernels(&text)?;
    figures.extend(counts::measure(|| {
        let stats = ALLOCATOR.stats();
        (stats.allocations + stats.reallocations) as u64
    })?);
    Ok(figures)
}

fn check(now: &Figures) -> Result<bool, Box<dyn Error>> {
    let result = compare(&baseline()?, now);
    print!("{}", result.table);
    for fault in &result.faults {
        eprintln!("guard: {fault}");
    }
    if !result.faults.is_empty() {
        eprintln!(
            "guard: more than {TOLERANCE} % worse than {BASELINE}. If that is the price of \
             something, say of what: infra/guard --accept \"why\""
        );
    }
    Ok(result.faults.is_empty())
}

/// Writes the baseline and the note; gives what changed on the way.
fn accept(now: &Figures, day: &str, why: &str) -> Result<bool, Box<dyn Error>> {
    let before = if path(BASELINE).exists() { baseline()? } else { Figures::new() };
    print!("{}", compare(&before, now).table);
    fs::write(path(BASELINE), toml::to_string(now)?)?;
    let mut notes = fs::read_to_string(path(NOTES))?;
    notes += &format!("\n## {day}\n\n{}\n", why.trim());
    let worse = compare(&before, now).faults;
    if !before.is_empty() && !worse.is_empty() {
        notes += "\n";
        notes.extend(worse.iter().map(|fault| format!("- {fault}\n")));
    }
    fs::write(path(NOTES), notes)?;
    Ok(true)
}

fn baseline() -> Result<Figures, Box<dyn Error>> {
    let text =
        fs::read_to_string(path(BASELINE)).map_err(|error| format!("{BASELINE}: {error}"))?;
    Ok(toml::from_str(&text)?)
}

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}
