//! The report of `sortie-control up`, and the promises that it is held to.

use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;
use serde_json::{Value, json};

use super::bots::BotCounters;
use super::child::Told;
use super::tally::{Leader, Tally, TicketFaults};
use sortie_cli::counts::{counted, pace};

/// Why a run was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndedBy {
    /// Its time was over.
    #[default]
    Duration,
    /// Somebody asked for it.
    Signal,
    /// A part of the installation has ended by itself.
    Failure,
}

/// What came of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct UpReport {
    /// From the first sign-up until nobody played any more.
    pub duration_s: f64,
    /// Why it was over.
    pub ended_by: EndedBy,
    /// What has ended by itself; `None`: nothing.
    pub failure: Option<String>,
    /// Times that Postgres had ended by itself and was started again.
    pub database_restarts: u64,
    /// Battle servers that were drained, and whose place a fresh one took.
    pub servers_replaced: u64,
    /// Bots asked for.
    pub bots: u16,
    /// Of these, those that signed up or logged in.
    pub bots_entered: u64,
    /// Stays of bots in battles.
    pub visits: u64,
    /// Stays that never began.
    pub shut_out: u64,
    /// Calls of bots that failed and were tried again.
    pub retries: u64,
    /// What battle servers told.
    #[serde(rename = "battle_servers")]
    pub told: Told,
    /// What the database has.
    #[serde(flatten)]
    pub tally: Tally,
    /// Lines logged at error level, here and by battle servers.
    pub errors_logged: u64,
    /// Promises that were not kept.
    pub missed: Vec<String>,
}

impl UpReport {
    /// Takes over what bots did.
    pub(crate) fn add_counters(&mut self, counters: &BotCounters) {
        self.bots_entered = counters.entered.load(Relaxed);
        self.visits = counters.visits.load(Relaxed);
        self.shut_out = counters.shut_out.load(Relaxed);
        self.retries = counters.retries.load(Relaxed);
    }

    /// Notes which promises were not kept.
    pub(crate) fn check(&mut self) {
        let (told, tally) = (&self.told, &self.tally);
        let mut miss = |kept: bool, what: String| {
            if !kept {
                self.missed.push(what);
            }
        };
        let (played, finished, stored) = (told.results, tally.finished(), tally.results_stored);
        miss(
            i64::try_from(played) == Ok(finished) && finished == stored,
            format!("{played} battles ended, {finished} are finished, {stored} results stored"),
        );
        miss(
            i64::try_from(told.players) == Ok(tally.rating_rows),
            format!("{} players in results, {} rating rows", told.players, tally.rating_rows),
        );
        let faults = tally.ticket_faults;
        miss(
            faults == TicketFaults::default(),
            format!("tickets that do not fit together: {faults:?}"),
        );
        let errors = self.errors_logged;
        miss(errors == 0, format!("{} logged at error level", counted(errors, "line")));
        if self.bots > 1 {
            // Whoever ends a run early may end it before any battle could come to its end.
            miss(
                self.ended_by == EndedBy::Signal || tally.outcomes.decided() > 0,
                "no battle was fought to its end".to_owned(),
            );
            let entered = self.bots_entered;
            miss(
                entered == u64::from(self.bots),
                format!("{entered} of {} bots signed up", self.bots),
            );
        }
    }

    /// Prints it: one line of JSON, or some for people.
    ///
    /// # Errors
    /// It does not serialise.
    pub(crate) fn show(&self, json: bool) -> serde_json::Result<()> {
        if json {
            let mut line = json!({ "event": "report" });
            if let (Some(line), Value::Object(fields)) =
                (line.as_object_mut(), serde_json::to_value(self)?)
            {
                line.extend(fields);
            }
            sortie_cli::say!("{line}");
            return Ok(());
        }
        for line in self.lines() {
            sortie_cli::say!("{line}");
        }
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let (told, tally) = (&self.told, &self.tally);
        let ranked = tally.rating_reasons.get("ranked").copied().unwrap_or_default();
        let (outcomes, ratings) = (tally.outcomes, tally.ratings);
        let [first, second] = outcomes.won;
        let earlier = match told.earlier {
            0 => String::new(),
            earlier => format!(", and {earlier} of earlier runs"),
        };
        let first_line = match self.bots {
            0 => format!("ran {:.1} s", self.duration_s),
            bots => format!("{}, {:.1} s", counted(bots, "bot"), self.duration_s),
        };
        let mut lines = vec![first_line];
        // Who only looked around has nothing to read of battles that never were.
        if told.battles + told.earlier > 0 || !tally.battles.is_empty() {
            lines.extend([
                format!(
                    "  battles   {} ended, {} finished{earlier}",
                    told.battles,
                    tally.finished()
                ),
                format!(
                    "  outcomes  {first} won by team 0, {second} by team 1, {} drawn, {} stopped",
                    outcomes.drawn, outcomes.stopped
                ),
                format!("  results   {} stored", tally.results_stored),
                format!("  ticks     {}", pace(told.ticks, told.overruns, told.left_out)),
            ]);
        }
        if tally.rating_rows > 0 {
            lines.extend([
                format!(
                    "  ratings   {}, {ranked} of them ranked",
                    counted(tally.rating_rows, "row")
                ),
                format!(
                    "            {} from {:.1} to {:.1}, standard deviation {:.1}",
                    counted(ratings.players, "player"),
                    ratings.lowest,
                    ratings.highest,
                    ratings.spread
                ),
            ]);
        }
        if !tally.leaders.is_empty() {
            lines.push("  leaders   name  shown rating  ranked battles of the season".to_owned());
        }
        lines.extend(tally.leaders.iter().map(|leader| {
            let Leader { name, shown, wins, losses, draws } = leader;
            format!("            {name}  {shown}  {wins} won, {losses} lost, {draws} drawn")
        }));
        if !tally.tickets.is_empty() {
            let tickets: Vec<String> =
                tally.tickets.iter().map(|(state, count)| format!("{count} {state}")).collect();
            lines.push(format!("  tickets   {}", tickets.join(", ")));
        }
        if self.servers_replaced > 0 {
            let servers = counted(self.servers_replaced, "battle server");
            lines.push(format!("  drained   {servers}, each replaced by a fresh one"));
        }
        if self.database_restarts > 0 {
            let times = counted(self.database_restarts, "time");
            lines.push(format!("  Postgres  started again {times}"));
        }
        lines.push(format!("  errors    {}", self.errors_logged));
        lines.extend(self.missed.iter().map(|missed| format!("  MISSED    {missed}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::tally::{Outcomes, Ratings};

    fn good() -> UpReport {
        let told = Told { battles: 2, results: 2, players: 8, ..Told::default() };
        let outcomes = Outcomes { won: [0, 1], stopped: 1, ..Outcomes::default() };
        let ratings = Ratings { players: 4, lowest: 23.0, highest: 27.5, spread: 1.5 };
        let name = "bot-0003".to_owned();
        let leader = Leader { name, shown: 1_200, wins: 3, losses: 1, draws: 2 };
        let tally = Tally {
            battles: [("finished".to_owned(), 2)].into(),
            outcomes,
            results_stored: 2,
            rating_rows: 8,
            ratings,
            leaders: vec![leader],
            ..Tally::default()
        };
        UpReport { bots: 4, bots_entered: 4, told, tally, ..UpReport::default() }
    }

    fn missed(change: fn(&mut UpReport)) -> usize {
        let mut report = good();
        change(&mut report);
        report.check();
        report.missed.len()
    }

    #[test]
    fn every_promise_is_looked_at() {
        assert_eq!(missed(|_| {}), 0);
        assert_eq!(missed(|report| report.tally.results_stored = 1), 1);
        assert_eq!(missed(|report| report.told.results = 3), 1);
        assert_eq!(missed(|report| report.tally.rating_rows = 7), 1);
        assert_eq!(missed(|report| report.tally.ticket_faults.open_but_ended = 1), 1);
        assert_eq!(missed(|report| report.errors_logged = 1), 1);
        assert_eq!(missed(|report| report.bots_entered = 3), 1);
        // A battle that was stopped says nothing of whether battles come to their end.
        assert_eq!(missed(|report| report.tally.outcomes.won = [0, 0]), 1);
        let drawn = |report: &mut UpReport| {
            report.tally.outcomes = Outcomes { drawn: 2, ..Outcomes::default() };
        };
        assert_eq!(missed(drawn), 0);
        let ended_early = |report: &mut UpReport| {
            report.tally.outcomes = Outcomes::default();
            report.ended_by = EndedBy::Signal;
        };
        assert_eq!(missed(ended_early), 0, "no battle had the time");
    }

    #[test]
    fn a_run_without_bots_has_no_zeros_to_show() {
        let report = UpReport { duration_s: 3.0, ..UpReport::default() };
        assert_eq!(report.lines(), ["ran 3.0 s", "  errors    0"]);
    }

    #[test]
    fn tickets_are_told_in_words_and_leaders_have_a_header() {
        let mut report = good();
        report.tally.tickets = [("cancelled".to_owned(), 1), ("matched".to_owned(), 8)].into();
        let lines = report.lines();
        assert!(lines.contains(&"  tickets   1 cancelled, 8 matched".to_owned()), "{lines:?}");
        let at = lines.iter().position(|line| line.starts_with("  leaders   name")).unwrap();
        assert!(lines[at + 1].starts_with("            bot-0003"), "{lines:?}");
    }

    #[test]
    fn wins_losses_and_the_spread_of_ratings_are_shown() {
        let text = good().lines().join("\n");
        for part in [
            "0 won by team 0, 1 by team 1, 0 drawn, 1 stopped",
            "4 players from 23.0 to 27.5, standard deviation 1.5",
            "bot-0003  1200  3 won, 1 lost, 2 drawn",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("Postgres") && !text.contains("earlier"), "{text}");
    }
}
