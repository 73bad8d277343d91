//! What an operator may change about accounts.

use std::sync::Arc;
use std::time::Duration;

use sortie_control::bus::Rate;
use sortie_control::http::crowd;

use crate::hasher::{Cost, Pool};
use crate::mail::Mailer;
use crate::pictures::{DiskPictures, Pictures};

/// Limits, lives and the two things outside of the database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a password's hash costs. Raised: old hashes are renewed at their next login.
    pub cost: Cost,
    /// How many hashes are computed at once, and how many wait.
    pub pool: Pool,
    /// Wrong guesses at a password or code, and the locks that follow.
    pub lockout: Lockout,
    /// Limits by the client's address (an IPv6 network of 64 bits counts as one).
    pub limits: Limits,
    /// How long a login lives without being refreshed.
    pub session_life: Duration,
    /// The same for guests, who have nothing but their refresh token.
    pub guest_life: Duration,
    /// Logins of a player at a time; the one that was unused longest ends for a new one.
    pub sessions_max: u32,
    /// How long a link in a mail is good.
    pub reset_life: Duration,
    /// What links in mails begin with; the token follows.
    pub reset_link: String,
    /// Who brings mails; `None`: nobody, and routes that need them say so. Nothing else is the
    /// default: what stands in a mail opens accounts.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Where pictures lie.
    pub pictures: Arc<dyn Pictures>,
    /// The name that authenticators show.
    pub issuer: String,
    /// Rows of one kind in an export of a player's data.
    pub export_rows_max: u32,
    /// Time between two rounds of cleaning up.
    pub cleanup_every: Duration,
}

/// When guessing is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Wrong guesses until the first lock, at least 1.
    pub failures_max: u32,
    /// The first lock; each further failure doubles it.
    pub first: Duration,
    /// The longest lock: the owner of an account that somebody guesses at is not out for longer.
    pub longest: Duration,
    /// Failures are forgotten after this long without another.
    pub forget: Duration,
}

/// Calls by one address, but where it says by player; `None`: no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Logins, and other calls that cost a hash: those of somebody who is logged in by player.
    pub logins: Option<Rate>,
    /// New accounts, guests too.
    pub sign_ups: Option<Rate>,
    /// Exchanges of refresh tokens.
    pub refreshes: Option<Rate>,
    /// Mails asked for; the same holds for each mail address.
    pub mails: Option<Rate>,
    /// Pictures and exports, by player.
    pub heavy: Option<Rate>,
    /// Changes of a player's name.
    pub renames: Option<Rate>,
}

impl Limits {
    /// None at all: for tests and for measuring.
    pub const NONE: Self = Self {
        logins: None,
        sign_ups: None,
        refreshes: None,
        mails: None,
        heavy: None,
        renames: None,
    };

    /// With limits by address for so many players.
    #[must_use]
    pub fn for_players(self, players: u32) -> Self {
        let more = |rate: Option<Rate>| rate.map(|rate| rate.times(crowd(players)));
        Self {
            logins: more(self.logins),
            sign_ups: more(self.sign_ups),
            refreshes: more(self.refreshes),
            mails: more(self.mails),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            logins: Some(Rate::per(30, minute)),
            sign_ups: Some(Rate::per(20, 10 * minute)),
            refreshes: Some(Rate::per(120, minute)),
            mails: Some(Rate::per(5, 15 * minute)),
            heavy: Some(Rate::per(10, 10 * minute)),
            renames: Some(Rate::per(3, 24 * 60 * minute)),
        }
    }
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            failures_max: 5,
            first: Duration::from_secs(30),
            longest: Duration::from_secs(15 * 60),
            forget: Duration::from_secs(60 * 60),
        }
    }
}

impl Lockout {
    /// How long to lock after so many failures; zero: not yet.
    pub fn lock_after(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.failures_max) {
            None => Duration::ZERO,
            Some(more) => self.first.saturating_mul(1 << more.min(20)).min(self.longest),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self {
            cost: Cost::default(),
            pool: Pool::default(),
            lockout: Lockout::default(),
            limits: Limits::default(),
            session_life: 30 * day,
            guest_life: 90 * day,
            sessions_max: 20,
            reset_life: Duration::from_secs(30 * 60),
            reset_link: "sortie://reset/".to_owned(),
            mailer: None,
            pictures: Arc::new(DiskPictures::new("pictures")),
            issuer: "Sortie".to_owned(),
            export_rows_max: 20_000,
            cleanup_every: Duration::from_secs(10 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_lock_up_to_a_bound() {
        let lockout = Lockout::default();
        let seconds = [4, 5, 6, 7, 12, 1_000].map(|count| lockout.lock_after(count).as_secs());
        assert_eq!(seconds, [0, 30, 60, 120, 900, 900]);
    }
}
