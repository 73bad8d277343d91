//! What `bench-goals` is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use crate::light::link::LaneKind;

/// All goals, in the order of the table.
pub const GOALS: [&str; 8] = ["G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8"];

/// How the program is called.
pub const USAGE: &str = "\
bench-goals [--only G1,G4,…] [--players 500,1000,2000] [--seconds 10] [--repeats 3]
            [--lane quic|sealed] [--hold] [--quick] [--server PATH] [--json FILE]
bench-goals --charts DIR FILE…

  --only      these goals; all of G1 to G8 without it
  --players   how many players the scenario S1 has for G1 and G4
  --seconds   steady seconds of each run of a whole server
  --repeats   runs of each measurement, interleaved with those it is compared with
  --lane      what carries inputs and snapshots in whole servers
  --hold      look for the largest number of players held on one core (G7)
  --quick     everything small: to see that it works, not for figures
  --server    the `sortie` binary; built and found by itself without this
  --json      write all figures there, with date, commit, machine and command
  --charts    draw charts from files of --json into this folder, and measure nothing";

/// The options of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Goals to measure; all when empty.
    pub only: Vec<String>,
    /// Players of S1.
    pub players: Vec<usize>,
    /// Steady seconds of a run.
    pub steady: Duration,
    /// Runs of each measurement.
    pub repeats: usize,
    /// The lane of whole servers.
    pub lane: LaneKind,
    /// Look for the largest number of players held.
    pub hold: bool,
    /// Everything small.
    pub quick: bool,
    /// The server's binary.
    pub server: Option<PathBuf>,
    /// Where the figures go.
    pub json: Option<PathBuf>,
    /// Where charts go, and the files they are drawn from.
    pub charts: Option<(PathBuf, Vec<PathBuf>)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            players: vec![500, 1_000, 2_000],
            steady: Duration::from_secs(10),
            repeats: 3,
            lane: LaneKind::default(),
            hold: false,
            quick: false,
            server: None,
            json: None,
            charts: None,
        }
    }
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// [`Error::Usage`] names the first that is none.
    pub fn parse(arguments: &[String]) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || {
                let missing = || Error::Usage(format!("{argument} needs a value"));
                rest.next().map(String::as_str).ok_or_else(missing)
            };
            match argument.as_str() {
                "--only" => options.only = goals(value()?)?,
                "--players" => options.players = numbers(value()?)?,
                "--seconds" => options.steady = Duration::from_secs(number(value()?)? as u64),
                "--repeats" => options.repeats = number(value()?)?,
                "--lane" => options.lane = lane(value()?)?,
                "--server" => options.server = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                "--hold" => options.hold = true,
                "--quick" => {
                    options.quick = true;
                    options.players = vec![50];
                    options.steady = Duration::from_secs(2);
                    options.repeats = 1;
                }
                "--charts" => {
                    let folder = value()?.into();
                    options.charts = Some((folder, rest.by_ref().map(PathBuf::from).collect()));
                }
                _ => return Err(Error::Usage(format!("unknown argument {argument}"))),
            }
        }
        Ok(options)
    }

    /// Whether a goal is to be measured.
    pub fn wants(&self, goal: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == goal)
    }
}

fn goals(text: &str) -> Result<Vec<String>, Error> {
    let goals: Vec<String> = text.split(',').map(str::to_uppercase).collect();
    match goals.iter().find(|goal| !GOALS.contains(&goal.as_str())) {
        Some(unknown) => Err(Error::Usage(format!("unknown goal {unknown}"))),
        None => Ok(goals),
    }
}

fn numbers(text: &str) -> Result<Vec<usize>, Error> {
    text.split(',').map(number).collect()
}

fn number(text: &str) -> Result<usize, Error> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| Error::Usage(format!("{text} is no number above 0")))
}

fn lane(text: &str) -> Result<LaneKind, Error> {
    LaneKind::ALL
        .into_iter()
        .find(|lane| lane.name() == text)
        .ok_or_else(|| Error::Usage(format!("unknown lane {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, Error> {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn options_are_read() {
        let options = parse("--only g1,G4 --players 50,70 --seconds 3 --json x.json").unwrap();
        assert_eq!((options.players.as_slice(), options.steady.as_secs()), (&[50, 70][..], 3));
        assert!(options.wants("G4") && !options.wants("G2"));
        let options = parse("--charts out a.json b.json").unwrap();
        assert_eq!(options.charts.unwrap().1.len(), 2);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in
            [("--only G9", "G9"), ("--players 0", "0"), ("--json", "--json"), ("--x", "--x")]
        {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
