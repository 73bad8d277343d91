//! How strong players are, and what that says about who wins.
//!
//! The model is Weng and Lin's with Bradley-Terry ("A Bayesian Approximation Method for Online
//! Ranking", Journal of Machine Learning Research 12, 2011, algorithm 1), the one that the ranking
//! learns with: a team is as strong as the sum of its players, as uncertain as the sum of their
//! variances, and
//!
//! ```text
//! c = sqrt(variance of team 0 + variance of team 1 + 2 * beta^2)
//! chance of team 0 = 1 / (1 + exp((strength of team 1 - strength of team 0) / c))
//! ```

use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::MatchmakingError;

/// What a player is worth of whom nothing is known.
const RATING: f64 = 25.0;
/// How uncertain that is: a third of it.
const DEVIATION: f64 = RATING / 3.0;
/// How much luck there is in a battle: a sixth.
const BETA: f64 = RATING / 6.0;

/// What some players are worth together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Strength {
    /// How many.
    pub players: u32,
    /// Sum of their ratings.
    pub sum: f64,
    /// Sum of the squares of their deviations.
    pub variance: f64,
}

impl Strength {
    /// Of `players` with this mean rating and this (root mean square) deviation.
    pub fn of(players: u32, rating: f64, deviation: f64) -> Self {
        let count = f64::from(players);
        Self { players, sum: rating * count, variance: deviation * deviation * count }
    }

    /// Mean rating; of nobody, a newcomer's.
    pub fn mean(&self) -> f64 {
        if self.players == 0 { RATING } else { self.sum / f64::from(self.players) }
    }

    /// The strength of both as one team.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            players: self.players + other.players,
            sum: self.sum + other.sum,
            variance: self.variance + other.variance,
        }
    }
}

/// Chance that team 0 wins, 0 to 1. The formula stands at the top of this file.
pub fn win_chance(teams: [Strength; 2]) -> f64 {
    let [zero, one] = teams;
    let c = (zero.variance + one.variance + 2.0 * BETA * BETA).sqrt();
    1.0 / (1.0 + ((one.sum - zero.sum) / c).exp())
}

/// A player's rating when a ticket is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rated {
    pub player_id: Uuid,
    pub rating: f64,
    pub deviation: f64,
}

/// Ratings in the running season; of whom ranking has not carried over yet, those of the season
/// before. Newcomers have the default.
pub(crate) async fn of_players(
    db: &mut PgConnection,
    players: &[Uuid],
    mode: &str,
) -> Result<Vec<Rated>, MatchmakingError> {
    let rated = sqlx::query_as!(
        Rated,
        r#"select p.player_id as "player_id!", coalesce(r.rating, $3) as "rating!",
            coalesce(r.uncertainty, $4) as "deviation!"
         from unnest($1::uuid[]) as p (player_id)
         left join lateral (
            select rating, uncertainty from rating
            where rating.player_id = p.player_id and mode = $2
            order by season_id desc limit 1) r on true
         order by p.player_id"#,
        players,
        mode,
        RATING,
        DEVIATION
    )
    .fetch_all(db)
    .await?;
    Ok(rated)
}

/// All of them together.
pub(crate) fn together(rated: &[Rated]) -> Strength {
    rated.iter().fold(Strength::default(), |sum, player| {
        sum.with(Strength::of(1, player.rating, player.deviation))
    })
}

#[cfg(test)]
mod tests {
    use skillratings::weng_lin::{WengLinConfig, WengLinRating, expected_score_two_teams};

    use super::*;

    #[test]
    fn the_chance_is_the_one_that_the_ranking_learns_with() {
        let teams: [&[(f64, f64)]; 2] =
            [&[(31.5, 2.0), (19.0, 7.5), (25.0, 25.0 / 3.0)], &[(40.0, 1.2), (22.0, 4.0)]];
        let strength = |team: &[(f64, f64)]| {
            team.iter().fold(Strength::default(), |sum, &(rating, deviation)| {
                sum.with(Strength::of(1, rating, deviation))
            })
        };
        let theirs = teams.map(|team| -> Vec<WengLinRating> {
            team.iter()
                .map(|&(rating, uncertainty)| WengLinRating { rating, uncertainty })
                .collect()
        });
        let expected =
            expected_score_two_teams(&theirs[0], &theirs[1], &WengLinConfig::default()).0;
        let chance = win_chance(teams.map(strength));
        assert!((chance - expected).abs() < 1e-12, "{chance} {expected}");
        let newcomer = WengLinRating::default();
        assert_eq!((newcomer.rating, newcomer.uncertainty), (RATING, DEVIATION));
    }
}
