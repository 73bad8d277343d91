//! The report of `sortie-control up`, and the promises that it is held to.

use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use super::bots::Deeds;
use super::child::Told;
use super::tally::{Tally, TicketFaults};

/// What came of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpReport {
    /// From the first sign-up to the last battle's end.
    pub duration_s: f64,
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
    pub fn add_deeds(&mut self, deeds: &Deeds) {
        self.bots_entered = deeds.entered.load(Relaxed);
        self.visits = deeds.visits.load(Relaxed);
        self.shut_out = deeds.shut_out.load(Relaxed);
        self.retries = deeds.retries.load(Relaxed);
    }

    /// Notes which promises were not kept.
    pub fn check(&mut self) {
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
        miss(errors == 0, format!("{errors} lines logged at error level"));
        if self.bots > 1 {
            miss(played > 0, "no battle was played".to_owned());
            let entered = self.bots_entered;
            miss(
                entered == u64::from(self.bots),
                format!("{entered} of {} bots signed up", self.bots),
            );
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// It does not serialise.
    pub fn show(&self, json: bool) -> serde_json::Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let (told, tally) = (&self.told, &self.tally);
        let ranked = tally.rating_reasons.get("ranked").copied().unwrap_or_default();
        println!("{} bots, {:.1} s", self.bots, self.duration_s);
        println!("  battles   {} ended, {} finished", told.battles, tally.finished());
        println!("  results   {} stored", tally.results_stored);
        println!("  ratings   {} rows, {ranked} of them ranked", tally.rating_rows);
        println!("  tickets   {:?}", tally.tickets);
        println!("  ticks     {}, {} overruns", told.ticks, told.overruns);
        println!("  errors    {}", self.errors_logged);
        for missed in &self.missed {
            println!("  MISSED    {missed}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> UpReport {
        let told = Told { battles: 2, results: 2, players: 8, ..Told::default() };
        let battles = [("finished".to_owned(), 2)].into();
        let tally = Tally { battles, results_stored: 2, rating_rows: 8, ..Tally::default() };
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
    }
}
