//! Logs: to stderr, so that stdout stays a command's own.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{panic, thread};

use anyhow::Context;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// An object a line, for machines.
    Json,
}

/// Starts logging with a filter like `warn` or `info,sortie_battle=debug`. Panics are logged, too,
/// as errors of the target `panic`.
///
/// # Errors
/// The filter cannot be read. A second call changes nothing.
pub fn init(filter: &str, format: Format) -> anyhow::Result<()> {
    // Levels per module: the filter that also knows spans and fields costs a regex engine.
    let filter: Targets = filter.parse().with_context(|| {
        format!("the log filter '{filter}' cannot be read; try 'info' or 'warn,sortie_sim=debug'")
    })?;
    let lines = fmt::layer()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        // It would tell of them on stderr, which is what fails, and panic.
        .log_internal_errors(false);
    let counted = tracing_subscriber::registry().with(CountErrors.with_filter(LevelFilter::ERROR));
    let shows_panics = filter.would_enable(PANIC, &Level::ERROR);
    let done = match format {
        Format::Text => counted.with(lines.with_filter(filter)).try_init(),
        Format::Json => counted.with(lines.json().with_filter(filter)).try_init(),
    };
    // Tests of one process may come here twice; the first choice stays.
    if done.is_ok() {
        log_panics(shows_panics);
    }
    Ok(())
}

/// The target of what is logged of panics.
const PANIC: &str = "panic";

/// Makes a panic a line of the log like any other: whoever reads JSON reads it, too. Where the log
/// does not show it, it is printed as usual.
fn log_panics(is_shown: bool) {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let message = info.payload_as_str().unwrap_or("a value that is no text");
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = thread::current();
        let thread = thread.name().unwrap_or("without a name");
        // With RUST_BACKTRACE only.
        let backtrace = Backtrace::capture();
        let is_traced = backtrace.status() == BacktraceStatus::Captured;
        let backtrace = is_traced.then(|| tracing::field::display(backtrace));
        tracing::error!(target: PANIC, location, thread, backtrace, "panicked: {message}");
        if !is_shown {
            usual(info);
        }
    }));
}

static ERRORS: AtomicU64 = AtomicU64::new(0);

/// How often something was logged at error level since the start, shown or not: what an operator
/// must mend. Counted from the first [`init`] on.
pub fn errors_logged() -> u64 {
    ERRORS.load(Ordering::Relaxed)
}

struct CountErrors;

impl<S: Subscriber> Layer<S> for CountErrors {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        debug_assert_eq!(*event.metadata().level(), Level::ERROR);
        ERRORS.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_and_levels_of_modules() {
        for right in ["off", "warn", "INFO", "info,sortie_battle=debug", "sortie_battle=trace"] {
            assert!(right.parse::<Targets>().is_ok(), "{right} was refused");
        }
        let wrong = init("info,sortie_battle=loud", Format::Text).unwrap_err().to_string();
        assert!(wrong.contains("'info,sortie_battle=loud'") && wrong.contains("try"), "{wrong}");
    }

    #[test]
    fn errors_are_counted_even_when_they_are_not_shown() {
        init("off", Format::Text).unwrap();
        tracing::warn!("no error");
        assert_eq!(errors_logged(), 0);
        tracing::error!("an error");
        assert_eq!(errors_logged(), 1);
    }
}
