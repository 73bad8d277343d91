//! Live progress of a run: one line redrawn on a terminal, a plain line now and then elsewhere,
//! nothing at all beside `--json`.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often plain lines are printed where nothing can be redrawn.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

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
                crate::say_aside!("{:>5.1}s {}", elapsed.as_secs_f64(), line());
            }
            Some(_) => {}
        }
    }

    /// What comes next is shown, however short ago the last line was printed.
    pub fn show_next(&mut self) {
        if let Some(last) = &mut self.plain {
            *last = None;
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
