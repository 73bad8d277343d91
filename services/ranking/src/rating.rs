//! The numbers: what a battle, idleness and a new season do to a rating.
//!
//! Weng and Lin's Bayesian approximation for two teams (Bradley-Terry, "OpenSkill"), from the
//! crate `skillratings`; nothing but who was on which team and who won counts.
//! `docs/ranking.md` has the formulas with their sources.

use skillratings::Outcomes;
use skillratings::weng_lin::{WengLinConfig, WengLinRating, weng_lin_two_teams};

/// Mean of a player of whom nothing is known.
pub const RATING_DEFAULT: f64 = 25.0;

/// Uncertainty of a player of whom nothing is known; no uncertainty is wider.
pub const UNCERTAINTY_DEFAULT: f64 = 25.0 / 3.0;

/// Added (as a variance) before each battle, so that a rating never freezes. OpenSkill's tau.
pub const DRIFT_PER_BATTLE: f64 = 25.0 / 300.0;

/// Added (as a variance) for each idle day beyond the grace.
pub const DRIFT_PER_IDLE_DAY: f64 = 0.25;

/// Added (as a variance) by a new season.
pub const DRIFT_PER_SEASON: f64 = 25.0 / 6.0;

const SHOWN_BASE: f64 = 1_000.0;
const SHOWN_SCALE: f64 = 40.0;
const SHOWN_MAX: f64 = 1_000_000.0;

/// What is believed of a player in a mode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skill {
    /// The mean.
    pub rating: f64,
    /// Standard deviation of the belief; greater than zero.
    pub uncertainty: f64,
}

impl Default for Skill {
    fn default() -> Self {
        Self { rating: RATING_DEFAULT, uncertainty: UNCERTAINTY_DEFAULT }
    }
}

impl Skill {
    /// What leaderboards order by: `floor(1000 + 40 * (rating - 3 * uncertainty))`, at least 0.
    /// A new player has 1000; with 99.9 % the true mean is not below what is shown.
    pub fn shown(self) -> i32 {
        let sure = self.rating - 3.0 * self.uncertainty;
        (SHOWN_BASE + SHOWN_SCALE * sure).floor().clamp(0.0, SHOWN_MAX) as i32
    }

    /// After so many idle days beyond the grace: less is known, the mean stays.
    pub fn after_idle_days(self, days: u32) -> Self {
        self.widened(DRIFT_PER_IDLE_DAY * DRIFT_PER_IDLE_DAY * f64::from(days))
    }

    /// In a new season: halfway back to the default, and less is known.
    pub fn in_new_season(self) -> Self {
        let rating = RATING_DEFAULT + (self.rating - RATING_DEFAULT) / 2.0;
        Self { rating, ..self }.widened(DRIFT_PER_SEASON * DRIFT_PER_SEASON)
    }

    /// Whether nothing more can be forgotten.
    pub fn is_widest(self) -> bool {
        self.uncertainty >= UNCERTAINTY_DEFAULT
    }

    fn widened(self, variance: f64) -> Self {
        let wider = (self.uncertainty * self.uncertainty + variance).sqrt();
        Self { uncertainty: wider.min(UNCERTAINTY_DEFAULT), ..self }
    }
}

/// What a battle does to two teams. `winner` is 0 or 1; `None` is a draw. An empty team changes
/// nobody.
pub fn rate(teams: [&[Skill]; 2], winner: Option<usize>) -> [Vec<Skill>; 2] {
    if teams.iter().any(|team| team.is_empty()) {
        return teams.map(<[Skill]>::to_vec);
    }
    let drifted = teams.map(|team| {
        let drift = DRIFT_PER_BATTLE * DRIFT_PER_BATTLE;
        team.iter().map(|skill| skill.widened(drift)).collect::<Vec<_>>()
    });
    let shifts = shifts(&drifted);
    let [first, second] = [0, 1].map(|team| {
        let shifted = drifted[team].iter();
        let shifted = shifted.map(|skill| WengLinRating {
            rating: skill.rating - shifts[team],
            uncertainty: skill.uncertainty,
        });
        shifted.collect::<Vec<_>>()
    });
    let outcome = match winner {
        Some(0) => Outcomes::WIN,
        Some(_) => Outcomes::LOSS,
        None => Outcomes::DRAW,
    };
    let (first, second) = weng_lin_two_teams(&first, &second, &outcome, &WengLinConfig::new());
    let after = [first, second];
    [0, 1].map(|team| {
        let pairs = drifted[team].iter().zip(&after[team]);
        let rated = pairs.map(|(before, after)| {
            let rating = after.rating + shifts[team];
            let uncertainty = after.uncertainty.min(UNCERTAINTY_DEFAULT);
            // Teams that are worlds apart leave the range of the exponential: then the outcome
            // was certain, and tells nothing.
            if rating.is_finite() && uncertainty.is_finite() && uncertainty > 0.0 {
                Skill { rating, uncertainty }
            } else {
                *before
            }
        });
        rated.collect()
    })
}

/// What to take off each rating of a team, so that the crate's exponentials of the teams' sums
/// stay in range however many players there are. Both sums shrink by the same amount, and only
/// their difference matters.
fn shifts(teams: &[Vec<Skill>; 2]) -> [f64; 2] {
    let sums = [0, 1].map(|team| teams[team].iter().map(|skill| skill.rating).sum::<f64>());
    let mean = (sums[0] + sums[1]) / 2.0;
    [0, 1].map(|team| mean / teams[team].len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn skill(rating: f64, uncertainty: f64) -> Skill {
        Skill { rating, uncertainty }
    }

    #[test]
    fn a_new_player_is_shown_as_1000() {
        assert_eq!(Skill::default().shown(), 1_000);
        assert_eq!(skill(35.0, 2.0).shown(), 2_160);
        assert_eq!(skill(-60.0, 8.0).shown(), 0);
    }

    #[test]
    fn two_new_players_change_as_the_paper_says() {
        // Weng and Lin, algorithm 1, by hand: c² = 2σ² + 2β² with σ² = 25²/9 + τ², β = 25/6,
        // p = 1/2, γ = σ/c.
        let variance = UNCERTAINTY_DEFAULT.powi(2) + DRIFT_PER_BATTLE.powi(2);
        let variance = variance.min(UNCERTAINTY_DEFAULT.powi(2));
        let c = (2.0 * variance + 2.0 * (25.0_f64 / 6.0).powi(2)).sqrt();
        let omega = variance / c * 0.5;
        let delta = variance.sqrt() / c * variance / (c * c) * 0.25;
        let uncertainty = (variance * (1.0 - delta)).sqrt();
        let [winner, loser] = rate([&[Skill::default()], &[Skill::default()]], Some(0));
        assert!((winner[0].rating - (25.0 + omega)).abs() < 1e-9, "{winner:?}");
        assert!((loser[0].rating - (25.0 - omega)).abs() < 1e-9, "{loser:?}");
        assert!((winner[0].uncertainty - uncertainty).abs() < 1e-9, "{winner:?}");
    }

    #[test]
    fn an_expected_win_tells_less_than_a_surprise() {
        let strong = [skill(32.0, 3.0); 4];
        let weak = [skill(20.0, 3.0); 4];
        let gain_of_strong = rate([&strong, &weak], Some(0))[0][0].rating - 32.0;
        let gain_of_weak = rate([&strong, &weak], Some(1))[1][0].rating - 20.0;
        assert!(0.0 < gain_of_strong && gain_of_strong < gain_of_weak / 10.0);
        let draw = rate([&strong, &weak], None);
        assert!(draw[0][0].rating < 32.0 && draw[1][0].rating > 20.0);
    }

    #[test]
    fn idleness_widens_up_to_what_a_stranger_has() {
        let known = skill(40.0, 2.0);
        let month = known.after_idle_days(30);
        assert!(month.uncertainty > 2.0 && !month.is_widest() && month.rating == 40.0);
        assert!(month.shown() < known.shown());
        assert!(known.after_idle_days(10_000).is_widest());
        assert_eq!(known.after_idle_days(0), known);
    }

    #[test]
    fn a_season_pulls_halfway_back() {
        let new = skill(40.0, 2.0).in_new_season();
        assert_eq!(new.rating, 32.5);
        assert!(new.uncertainty > 4.0 && !new.is_widest());
        assert_eq!(Skill::default().in_new_season(), Skill::default());
    }

    fn team() -> impl Strategy<Value = Vec<Skill>> {
        let one = (-50.0..120.0_f64, 0.2..UNCERTAINTY_DEFAULT);
        proptest::collection::vec(one.prop_map(|(r, u)| skill(r, u)), 1..200)
    }

    proptest! {
        #[test]
        fn whoever_wins_rises_and_nobody_gets_lost(a in team(), b in team(), winner in 0..2usize) {
            let after = rate([&a, &b], Some(winner));
            let [before_w, before_l] = if winner == 0 { [&a, &b] } else { [&b, &a] };
            for (before, after) in before_w.iter().zip(&after[winner]) {
                // The shift costs some digits; a certain win gains nothing.
                prop_assert!(after.rating >= before.rating - 1e-6);
            }
            for (before, after) in before_l.iter().zip(&after[1 - winner]) {
                prop_assert!(after.rating <= before.rating + 1e-6);
            }
            for (before, after) in a.iter().chain(&b).zip(after.iter().flatten()) {
                prop_assert!(after.rating.is_finite());
                prop_assert!(after.uncertainty > 0.0 && after.uncertainty <= UNCERTAINTY_DEFAULT);
                prop_assert!(after.uncertainty <= before.uncertainty + DRIFT_PER_BATTLE);
            }
        }
    }

    #[test]
    fn thousands_of_seasoned_players_can_be_rated() {
        let teams = [vec![skill(45.0, 1.0); 4_096], vec![skill(44.99, 1.0); 4_096]];
        let [winners, losers] = rate([&teams[0], &teams[1]], Some(1));
        assert!(winners[0].rating < 45.0 && losers[0].rating > 44.99);
        let apart = [vec![skill(90.0, 0.5); 4_096], vec![skill(-40.0, 0.5); 4_096]];
        for skill in rate([&apart[0], &apart[1]], Some(0)).iter().flatten() {
            assert!(skill.rating.is_finite() && skill.uncertainty > 0.0);
        }
    }
}
