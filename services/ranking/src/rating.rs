//! The numbers: what a battle, idleness and a new season do to a rating.
//!
//! Weng and Lin's Bayesian approximation for two teams (Bradley-Terry, "OpenSkill"); nothing but
//! who was on which team, for which share of the battle, and who won counts.
//! `docs/ranking.md` has the formulas with their sources.

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

/// How much a strength varies from one battle to the next: the formula's beta.
const BETA: f64 = 25.0 / 6.0;

/// Most that one battle can take off a variance leaves this share of it: OpenSkill's kappa.
const VARIANCE_LEFT_MIN: f64 = 0.000_001;

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

/// Somebody who fought in a battle, rated or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fighter {
    /// What is believed of it before the battle.
    pub skill: Skill,
    /// 0 or 1.
    pub team: usize,
    /// Share of the battle, 0 to 1, that it fought.
    pub fought: f64,
    /// The same, had it not left: what its own team is expected to do with. Whoever leaves would
    /// otherwise spare its friends the defeat.
    pub expected: f64,
    /// Whether the battle changes what is believed of it.
    pub is_rated: bool,
}

/// What a battle does to those who fought, in their order. `winner` is 0 or 1; `None` is a draw.
/// Everybody counts for what was to be expected, by the share of the battle; only the rated
/// change. A battle that one team did not fight changes nobody.
///
/// Weng and Lin's formulas for two teams. The crate `skillratings` has them for players who were
/// all there for the whole battle, and a test holds these to it there.
pub fn rate(fighters: &[Fighter], winner: Option<usize>) -> Vec<Skill> {
    let drift = DRIFT_PER_BATTLE * DRIFT_PER_BATTLE;
    let drifted = |fighter: &Fighter| match fighter.is_rated {
        true => fighter.skill.widened(drift),
        false => fighter.skill,
    };
    let seen = [0, 1].map(|team| Prospect::of(fighters, team, drifted));
    let after = fighters.iter().map(|fighter| {
        let prospect = &seen[fighter.team.min(1)];
        if !fighter.is_rated || !prospect.is_fight {
            return fighter.skill;
        }
        prospect.after(drifted(fighter), winner.map(|winner| winner == fighter.team))
    });
    after.collect()
}

/// What a team was to expect of a battle.
struct Prospect {
    /// Both teams had somebody.
    is_fight: bool,
    /// Chance to win.
    win: f64,
    /// The formula's c: the spread of all that is unknown.
    spread: f64,
    /// The formula's gamma: the own team's part of the spread.
    part: f64,
}

impl Prospect {
    fn of(fighters: &[Fighter], team: usize, skill: impl Fn(&Fighter) -> Skill) -> Self {
        let (mut sums, mut variances) = ([0.0; 2], [0.0; 2]);
        for fighter in fighters {
            let (is_own, skill) = (fighter.team == team, skill(fighter));
            let share = if is_own { fighter.expected } else { fighter.fought };
            sums[usize::from(is_own)] += share * skill.rating;
            variances[usize::from(is_own)] += (share * skill.uncertainty).powi(2);
        }
        let [other, own] = sums;
        let spread = (2.0 * BETA * BETA + variances[0] + variances[1]).sqrt();
        let win = 1.0 / (1.0 + ((other - own) / spread).exp());
        let is_fight = variances.iter().all(|variance| *variance > 0.0);
        Self { is_fight, win, spread, part: variances[1].sqrt() / spread }
    }

    /// `has_won`: `None` is a draw.
    fn after(&self, skill: Skill, has_won: Option<bool>) -> Skill {
        let score = has_won.map_or(0.5, |has_won| f64::from(u8::from(has_won)));
        let variance = skill.uncertainty * skill.uncertainty;
        let learned = variance / (self.spread * self.spread) * self.part;
        let left = (1.0 - learned * self.win * (1.0 - self.win)).max(VARIANCE_LEFT_MIN);
        let rating = skill.rating + variance / self.spread * (score - self.win);
        Skill { rating, uncertainty: skill.uncertainty * left.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skillratings::Outcomes;
    use skillratings::weng_lin::{WengLinConfig, WengLinRating, weng_lin_two_teams};

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

    /// Both teams were there for the whole battle, and all are rated.
    fn rate_teams(teams: [&[Skill]; 2], winner: Option<usize>) -> [Vec<Skill>; 2] {
        let [first, second] = [0, 1].map(|team| {
            let whole = |skill: &Skill| Fighter {
                skill: *skill,
                team,
                fought: 1.0,
                expected: 1.0,
                is_rated: true,
            };
            teams[team].iter().map(whole).collect::<Vec<_>>()
        });
        let mut after = rate(&[&first[..], &second].concat(), winner);
        let second = after.split_off(first.len());
        [after, second]
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
        let [winner, loser] = rate_teams([&[Skill::default()], &[Skill::default()]], Some(0));
        assert!((winner[0].rating - (25.0 + omega)).abs() < 1e-9, "{winner:?}");
        assert!((loser[0].rating - (25.0 - omega)).abs() < 1e-9, "{loser:?}");
        assert!((winner[0].uncertainty - uncertainty).abs() < 1e-9, "{winner:?}");
    }

    #[test]
    fn an_expected_win_tells_less_than_a_surprise() {
        let strong = [skill(32.0, 3.0); 4];
        let weak = [skill(20.0, 3.0); 4];
        let gain_of_strong = rate_teams([&strong, &weak], Some(0))[0][0].rating - 32.0;
        let gain_of_weak = rate_teams([&strong, &weak], Some(1))[1][0].rating - 20.0;
        assert!(0.0 < gain_of_strong && gain_of_strong < gain_of_weak / 10.0);
        let draw = rate_teams([&strong, &weak], None);
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

    /// The crate's exponentials of a team's sum leave their range beyond 500.
    fn small_team() -> impl Strategy<Value = Vec<Skill>> {
        let one = (-20.0..45.0_f64, 0.2..UNCERTAINTY_DEFAULT);
        proptest::collection::vec(one.prop_map(|(r, u)| skill(r, u)), 1..=11)
    }

    proptest! {
        #[test]
        fn for_players_of_whole_battles_the_crate_has_the_same_formulas(
            a in small_team(), b in small_team(), winner in proptest::option::of(0..2usize)
        ) {
            let crate_rating = |skill: &Skill| {
                let known = skill.widened(DRIFT_PER_BATTLE * DRIFT_PER_BATTLE);
                WengLinRating { rating: known.rating, uncertainty: known.uncertainty }
            };
            let [first, second] = [&a, &b].map(|team| {
                team.iter().map(crate_rating).collect::<Vec<_>>()
            });
            let outcome = match winner {
                Some(0) => Outcomes::WIN,
                Some(_) => Outcomes::LOSS,
                None => Outcomes::DRAW,
            };
            let config = WengLinConfig::new();
            let (first, second) = weng_lin_two_teams(&first, &second, &outcome, &config);
            let ours = rate_teams([&a, &b], winner);
            for (ours, theirs) in ours.iter().flatten().zip(first.iter().chain(&second)) {
                prop_assert!((ours.rating - theirs.rating).abs() < 1e-6);
                prop_assert!((ours.uncertainty - theirs.uncertainty).abs() < 1e-6);
            }
        }

        #[test]
        fn whoever_wins_rises_and_nobody_gets_lost(a in team(), b in team(), winner in 0..2usize) {
            let after = rate_teams([&a, &b], Some(winner));
            let [before_w, before_l] = if winner == 0 { [&a, &b] } else { [&b, &a] };
            for (before, after) in before_w.iter().zip(&after[winner]) {
                // A certain win gains nothing.
                prop_assert!(after.rating >= before.rating);
            }
            for (before, after) in before_l.iter().zip(&after[1 - winner]) {
                prop_assert!(after.rating <= before.rating);
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
        let [winners, losers] = rate_teams([&teams[0], &teams[1]], Some(1));
        assert!(winners[0].rating < 45.0 && losers[0].rating > 44.99);
        let apart = [vec![skill(90.0, 0.5); 4_096], vec![skill(-40.0, 0.5); 4_096]];
        for skill in rate_teams([&apart[0], &apart[1]], Some(0)).iter().flatten() {
            assert!(skill.rating.is_finite() && skill.uncertainty > 0.0);
        }
    }

    /// Eight a side of known strength, all there for the whole battle.
    fn eights() -> Vec<Fighter> {
        let known = Skill { rating: 25.0, uncertainty: 2.0 };
        let fighter = |at: usize| Fighter {
            skill: known,
            team: at / 8,
            fought: 1.0,
            expected: 1.0,
            is_rated: true,
        };
        (0..16).map(fighter).collect()
    }

    #[test]
    fn who_is_not_rated_counts_for_what_was_to_be_expected() {
        let mut fighters = eights();
        // Six guests beside a pair: sixteen equal players fought, so that nobody was to win.
        for guest in &mut fighters[2..8] {
            guest.is_rated = false;
        }
        let won = rate(&fighters, Some(0))[0].rating - 25.0;
        let lost = rate(&fighters, Some(1))[0].rating - 25.0;
        assert!(won > 0.0 && (won + lost).abs() < 1e-9, "{won} {lost}");
        assert_eq!(rate(&fighters, Some(0))[2], fighters[2].skill);
        let full_side = rate(&fighters, Some(1))[15].rating - 25.0;
        assert!((full_side - won).abs() < 1e-9, "{full_side}");
    }

    #[test]
    fn a_victory_over_a_team_that_was_not_there_tells_little() {
        let mut fighters = eights();
        let even = rate(&fighters, Some(0))[0].rating;
        for late in &mut fighters[12..] {
            (late.fought, late.expected) = (0.4, 0.4);
        }
        let won = rate(&fighters, Some(0))[0].rating;
        assert!(25.0 < won && won < 25.0 + (even - 25.0) / 10.0, "{won} {even}");
        assert!(rate(&fighters, Some(1))[8].rating > even);
    }

    #[test]
    fn who_leaves_spares_its_friends_nothing() {
        let mut fighters = eights();
        let lost = rate(&fighters, Some(1))[0].rating;
        for left in &mut fighters[4..8] {
            left.fought = 0.6;
        }
        assert!((rate(&fighters, Some(1))[0].rating - lost).abs() < 0.05);
        // To the others, it is a victory over fewer.
        assert!(rate(&fighters, Some(1))[8].rating < 25.1);
    }
}
