//! What all goals share: the server's binary, a folder for its data, and runs already made.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::details::{Details, Floors, Whole};
use super::error::Error;
use super::options::Options;
use crate::light::run::{RunConfig, RunReport, run};
use crate::measure::floor;
use crate::measure::transport_run::{Cost, TransportRun};
use sortie_players::scenario::Scenario;

/// Players whose clients decode everything.
const WATCHED: usize = 16;

/// A whole server and the floors of its datagrams, measured one after the other.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// The server.
    pub run: RunReport,
    /// Bare UDP with the same sizes.
    pub bare: Cost,
    /// The same with AES-128-GCM.
    pub sealed: Cost,
}

/// Where goals are measured.
pub(super) struct Bench<'o> {
    /// What was asked for.
    pub options: &'o Options,
    /// Allocations of this process so far.
    pub allocations: fn() -> u64,
    program: PathBuf,
    folder: PathBuf,
    pairs: BTreeMap<usize, Vec<Pair>>,
    /// Everything that is no outcome.
    pub details: Details,
}

impl<'o> Bench<'o> {
    /// Finds or builds the server and makes a folder.
    ///
    /// # Errors
    /// There is no server, or no folder can be made.
    pub(super) fn new(options: &'o Options, allocations: fn() -> u64) -> Result<Self, Error> {
        let program = match &options.server {
            Some(program) => program.clone(),
            None => build().map_err(|error| Error::Measure("the server", error))?,
        };
        let folder = env::temp_dir().join(format!("sortie-goals-{}", std::process::id()));
        fs::create_dir_all(&folder)
            .map_err(|error| Error::File(folder.display().to_string(), error))?;
        let (pairs, details) = Default::default();
        Ok(Self { options, allocations, program, folder, pairs, details })
    }

    /// Runs a whole server in a folder of its own.
    ///
    /// # Errors
    /// See [`run`].
    pub(super) fn whole(
        &mut self,
        scenario: Scenario,
        players: usize,
        tick_hz: u32,
        threads: usize,
    ) -> io::Result<RunReport> {
        let name = format!("{scenario}-{players}-{tick_hz}-{threads}");
        eprintln!("  a whole server, {scenario}, {players} players at {tick_hz} Hz");
        let data_dir = self.folder.join(&name);
        let config = RunConfig {
            program: self.program.clone(),
            data_dir: data_dir.clone(),
            scenario,
            players,
            tick_hz,
            threads,
            lane: self.options.lane,
            warm_up: Duration::from_secs(if self.options.quick { 1 } else { 3 }),
            steady: self.options.steady,
            watched: WATCHED,
        };
        let outcome = run(&config);
        fs::remove_dir_all(&data_dir)?;
        let run = outcome?;
        self.details.whole.push(Whole {
            scenario: scenario.to_string(),
            lane: self.options.lane.name().to_owned(),
            threads,
            run: run.clone(),
        });
        Ok(run)
    }

    /// Runs of S1 with so many players, each with the floors of its own sizes; made once.
    ///
    /// # Errors
    /// See [`run`] and [`floor::measure`].
    pub(super) fn s1(&mut self, players: usize) -> io::Result<&[Pair]> {
        let known = self.pairs.get(&players).map_or(0, Vec::len);
        for _ in known..self.options.repeats {
            let run = self.whole(Scenario::Uniform, players, 60, 1)?;
            let load = TransportRun {
                clients: players,
                ticks: (self.options.steady.as_secs() * 60) as usize / 2,
                up_bytes: run.up_bytes.round() as usize,
                down_bytes: run.down_bytes.round() as usize,
                ..TransportRun::default()
            };
            eprintln!("  its floors, {} B down, {} B up", load.down_bytes, load.up_bytes);
            let bare = floor::measure(&load, false)?;
            let sealed = floor::measure(&load, true)?;
            self.details.floors.push(Floors {
                players,
                down_bytes: load.down_bytes,
                up_bytes: load.up_bytes,
                bare_us: bare.us_per_client_tick,
                sealed_us: sealed.us_per_client_tick,
                delivered: bare.delivered.min(sealed.delivered),
            });
            self.pairs.entry(players).or_default().push(Pair { run, bare, sealed });
        }
        Ok(self.pairs.get(&players).map_or(&[], Vec::as_slice))
    }

    /// Sizes of datagrams as whole servers had them with so many players; else the published ones.
    pub(super) fn sizes(&self, players: usize) -> TransportRun {
        let known = self.pairs.get(&players).and_then(|pairs| pairs.first());
        let Some(Pair { run, .. }) = known else { return TransportRun::default() };
        TransportRun {
            up_bytes: run.up_bytes.round() as usize,
            down_bytes: run.down_bytes.round() as usize,
            ..TransportRun::default()
        }
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        // Somebody else's files may be left; then the folder stays.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Builds the server beside this program, with the same profile.
fn build() -> io::Result<PathBuf> {
    let here = env::current_exe()?;
    let folder = here.parent().unwrap_or(Path::new("."));
    let program = folder.join(format!("sortie{}", env::consts::EXE_SUFFIX));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "-p", "sortie"]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    if !command.status()?.success() || !program.exists() {
        return Err(io::Error::other("`cargo build -p sortie` failed"));
    }
    Ok(program)
}
