//! The live display of a run: what bots do, and what battle servers tell, from the first sign-up
//! until everything has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sortie_cli::counts::counted;
use sortie_cli::progress::Lines;
use sortie_kit::telemetry::errors_logged;

use super::bots::{BotCounters, BotPool};
use super::child::{News, Told};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The display of a run.
pub(crate) struct Screen {
    lines: Lines,
    began: Instant,
    pool: Arc<BotPool>,
    news: Vec<News>,
    phase: &'static str,
}

impl Screen {
    /// Of a run that begins now, and lasts so long.
    pub(crate) fn new(
        silent: bool,
        whole: Option<Duration>,
        pool: &Arc<BotPool>,
        news: Vec<News>,
    ) -> Self {
        let (lines, pool) = (Lines::new(silent, whole), Arc::clone(pool));
        Self { lines, began: Instant::now(), pool, news, phase: "" }
    }

    /// How long the run has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Shows how it stands.
    pub(crate) fn show(&mut self) {
        let (elapsed, phase) = (self.began.elapsed(), self.phase);
        self.lines.show(elapsed, || line(phase, &self.pool.counters, &told(&self.news)));
    }

    /// The same from now on with another word before it, and at once.
    pub(crate) fn enter(&mut self, phase: &'static str) {
        self.phase = phase;
        self.lines.show_next();
        self.show();
    }

    /// Goes on showing while something else is done.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = look.tick() => self.show(),
            }
        }
    }

    /// Shows it a last time, and takes the line away where it is redrawn.
    pub(crate) fn end(mut self) {
        self.enter("over  ");
        self.lines.end();
    }
}

/// What all battle servers told until now.
pub(crate) fn told(news: &[News]) -> Told {
    news.iter().map(News::told).fold(Told::default(), Told::plus)
}

fn line(phase: &str, counters: &BotCounters, told: &Told) -> String {
    let count = |number: &AtomicU64| number.load(Relaxed);
    format!(
        "{phase}{} in, {} queueing, {} matched, {} fighting  {}: {} running, {} won, {} drawn  {}",
        counted(count(&counters.entered), "bot"),
        count(&counters.waiting),
        count(&counters.matched),
        count(&counters.fighting),
        counted(told.battles + told.running, "battle"),
        told.running,
        told.won,
        told.drawn,
        counted(errors_logged() + told.errors, "error"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_server_is_shown() {
        let counters = BotCounters::default();
        for (number, count) in [
            (&counters.entered, 9),
            (&counters.waiting, 2),
            (&counters.matched, 3),
            (&counters.fighting, 4),
        ] {
            number.store(count, Relaxed);
        }
        let told = Told { battles: 4, running: 1, won: 3, drawn: 1, ..Told::default() };
        let line = line("ending  ", &counters, &told);
        let expected = "ending  9 bots in, 2 queueing, 3 matched, 4 fighting  \
                        5 battles: 1 running, 3 won, 1 drawn  ";
        assert!(line.starts_with(expected), "{line}");
    }
}
