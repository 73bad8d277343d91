//! Live progress of a run: one line redrawn on a terminal, a plain line now and then elsewhere,
//! nothing at all beside `--json`.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sortie_bench::swarm::Progress;

/// How often plain lines are printed where nothing can be redrawn.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Where progress goes.
pub enum Display {
    /// A terminal: redrawn in place.
    Bar(ProgressBar),
    /// A file or a pipe: a line every few seconds.
    Plain {
        /// When the last line was printed.
        last: Option<Instant>,
    },
    /// Nowhere.
    Silent,
}

impl Display {
    /// Chooses by what stderr is.
    pub fn new(silent: bool, duration: Duration) -> Self {
        if silent {
            return Self::Silent;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Plain { last: None };
        }
        let bar = ProgressBar::new(duration.as_millis() as u64);
        let style = ProgressStyle::with_template("{bar:16.cyan/blue} {elapsed:>4} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::Bar(bar)
    }

    /// Shows how far a swarm is.
    pub fn show(&mut self, progress: &Progress) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(progress.elapsed.as_millis() as u64);
                bar.set_message(line(progress));
            }
            Self::Plain { last } if last.is_none_or(|last| last.elapsed() >= PLAIN_EVERY) => {
                *last = Some(Instant::now());
                eprintln!("{:>5.1}s {}", progress.elapsed.as_secs_f64(), line(progress));
            }
            Self::Plain { .. } | Self::Silent => {}
        }
    }

    /// Takes the line away, so that the report stands alone.
    pub fn end(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Progress of a run that is told as lines of text: redrawn on a terminal, now and then elsewhere.
pub struct Lines {
    bar: ProgressBar,
    /// `None`: nothing is printed, or the bar is.
    plain: Option<Option<Instant>>,
}

impl Lines {
    /// Chooses by what stderr is; without an end in sight the bar only turns.
    pub fn new(silent: bool, whole: Option<Duration>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        if silent || !is_terminal {
            return Self { bar: ProgressBar::hidden(), plain: (!silent).then_some(None) };
        }
        let (bar, shape) = match whole {
            Some(whole) => {
                let bar = ProgressBar::new(whole.as_millis() as u64);
                (bar, "{bar:16.cyan/blue} {elapsed:>4} {wide_msg}")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {elapsed:>4} {wide_msg}"),
        };
        let style = ProgressStyle::with_template(shape);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, plain: None }
    }

    /// Shows how far it is.
    pub fn show(&mut self, elapsed: Duration, line: impl FnOnce() -> String) {
        match &mut self.plain {
            None => {
                self.bar.set_position(elapsed.as_millis() as u64);
                self.bar.set_message(line());
            }
            Some(last) if last.is_none_or(|last| last.elapsed() >= PLAIN_EVERY) => {
                *last = Some(Instant::now());
                eprintln!("{:>5.1}s {}", elapsed.as_secs_f64(), line());
            }
            Some(_) => {}
        }
    }

    /// Takes the line away, so that the report stands alone.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar over ticks on a terminal; hidden elsewhere and when `silent`.
pub fn ticks(silent: bool) -> ProgressBar {
    if silent || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:24.cyan/blue} tick {pos} of {len}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What a swarm sees of its battle, and how its network is.
fn line(progress: &Progress) -> String {
    let Progress { connected, lost, shots, kills, points, tickets, rounds, .. } = progress;
    let round = match rounds {
        0 => String::new(),
        before => format!("round {}  ", before + 1),
    };
    let finished = match progress.finished {
        0 => String::new(),
        finished => format!(", {finished} done"),
    };
    let ([red, blue], all) = points;
    format!(
        "{round}{connected} in, {lost} lost{finished}  {shots} shots, {kills} kills  \
         points {red} : {blue} of {all}  tickets {} : {}  tick {}  rtt {:.1} ms  \
         {:.0} snapshots/s",
        tickets[0], tickets[1], progress.tick, progress.rtt_ms, progress.snapshots_per_s
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_of_the_fight() {
        let progress = Progress {
            connected: 200,
            shots: 1_234,
            kills: 56,
            points: ([2, 1], 5),
            tickets: [1_980, 1_955],
            ..Progress::default()
        };
        let first = line(&progress);
        assert!(first.starts_with("200 in, 0 lost  1234 shots, 56 kills  points 2 : 1 of 5"));
        assert!(first.contains("tickets 1980 : 1955"), "{first}");
        let second = line(&Progress { rounds: 1, finished: 3, ..progress });
        assert!(second.starts_with("round 2  200 in, 0 lost, 3 done"), "{second}");
    }
}
