//! Who is rated for a battle, and why others are not.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// From when on a battle counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Players that may be rated in the smaller team. 2: a duel is settled elsewhere.
    pub team_players_min: usize,
    /// Shorter battles say nothing. 30 s.
    pub battle_min: Duration,
    /// Share of the battle (0 to 1) after which whoever joins is not rated. 0.5: a player who
    /// fills a gap is not to blame for it.
    pub joined_late: f64,
    /// Share of the battle (0 to 1) until which a player has to stay to gain. 0.9.
    pub stay_until: f64,
    /// How many heads the teams may be apart, as a share (0 to 1) of the larger one; one head
    /// always may be. 0.125: 28 against 32. A head counts from its joining to the end, guests
    /// too; who leaves counts as if it had stayed, because nobody may undo a battle by leaving.
    pub heads_apart: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            team_players_min: 2,
            battle_min: Duration::from_secs(30),
            joined_late: 0.5,
            stay_until: 0.9,
            heads_apart: 0.125,
        }
    }
}

/// Why a player was rated or not; stored with every rating change. The first that fits, in the
/// order in which they stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RatingReason)]
pub enum Reason {
    /// The result does not fit what is known of the battle; people look at it.
    UnderReview,
    /// The battle was not made as a ranked one.
    BattleUnranked,
    /// The battle was stopped: by its server's end or an operator.
    NoResult,
    /// Shorter than [`Rules::battle_min`].
    TooShort,
    /// The teams were more heads apart than [`Rules::heads_apart`].
    UnevenTeams,
    /// Guests have no rating.
    Guest,
    /// Joined after [`Rules::joined_late`].
    JoinedLate,
    /// Left before [`Rules::stay_until`] and did not lose. Whoever leaves a battle that is lost
    /// is rated like its team: leaving must not pay.
    LeftEarly,
    /// A team had fewer players left than [`Rules::team_players_min`].
    TooFewPlayers,
    /// Rated.
    Ranked,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::UnderReview,
        Self::BattleUnranked,
        Self::NoResult,
        Self::TooShort,
        Self::UnevenTeams,
        Self::Guest,
        Self::JoinedLate,
        Self::LeftEarly,
        Self::TooFewPlayers,
        Self::Ranked,
    ];

    /// As it is stored and answered.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnderReview => "under_review",
            Self::BattleUnranked => "battle_unranked",
            Self::NoResult => "no_result",
            Self::TooShort => "too_short",
            Self::UnevenTeams => "uneven_teams",
            Self::Guest => "guest",
            Self::JoinedLate => "joined_late",
            Self::LeftEarly => "left_early",
            Self::TooFewPlayers => "too_few_players",
            Self::Ranked => "ranked",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What of a battle matters here.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Whether it was made as a ranked one.
    pub is_ranked: bool,
    /// Whether it was fought out: ended by its rules, with or without a winner.
    pub has_result: bool,
    /// The winning team; `None`: a draw.
    pub winner: Option<usize>,
    /// Its length.
    pub ticks: i32,
    /// Ticks in a second; greater than zero.
    pub tick_hz: i32,
}

impl Facts {
    /// Share of the battle (0 to 1) between two ticks.
    pub fn share(&self, from_tick: i32, to_tick: i32) -> f64 {
        let whole = f64::from(self.ticks).max(1.0);
        ((f64::from(to_tick) - f64::from(from_tick)) / whole).clamp(0.0, 1.0)
    }
}

/// What of a player matters here.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// 0 or 1.
    pub team: usize,
    /// Guests have no rating.
    pub is_guest: bool,
    /// 0 for whoever was there from the start.
    pub joined_tick: i32,
    /// The battle's length for whoever stayed.
    pub left_tick: i32,
}

/// A reason for each part, in the order of `parts`.
pub fn judge(rules: &Rules, facts: &Facts, parts: &[Part]) -> Vec<Reason> {
    let is_uneven = is_uneven(rules, facts, parts);
    let reasons = parts.iter().map(|part| alone(rules, facts, is_uneven, part));
    let mut reasons: Vec<Reason> = reasons.collect();
    let mut counts = [0_usize; 2];
    for (part, reason) in parts.iter().zip(&reasons) {
        if *reason == Reason::Ranked {
            counts[part.team.min(1)] += 1;
        }
    }
    if counts.iter().any(|count| *count < rules.team_players_min.max(1)) {
        let ranked = reasons.iter_mut().filter(|reason| **reason == Reason::Ranked);
        ranked.for_each(|reason| *reason = Reason::TooFewPlayers);
    }
    reasons
}

/// Whether one team had too few heads for a rating to tell anything.
fn is_uneven(rules: &Rules, facts: &Facts, parts: &[Part]) -> bool {
    let mut heads = [0.0_f64; 2];
    for part in parts {
        heads[part.team.min(1)] += facts.share(part.joined_tick, facts.ticks);
    }
    let apart = (heads[0] - heads[1]).abs();
    apart > (heads[0].max(heads[1]) * rules.heads_apart).max(1.0)
}

/// As if the teams were large enough.
fn alone(rules: &Rules, facts: &Facts, is_uneven: bool, part: &Part) -> Reason {
    let ticks = f64::from(facts.ticks);
    let battle_s = ticks / f64::from(facts.tick_hz);
    let has_lost = facts.winner.is_some_and(|winner| winner != part.team);
    if !facts.is_ranked {
        Reason::BattleUnranked
    } else if !facts.has_result {
        Reason::NoResult
    } else if battle_s < rules.battle_min.as_secs_f64() {
        Reason::TooShort
    } else if is_uneven {
        Reason::UnevenTeams
    } else if part.is_guest {
        Reason::Guest
    } else if f64::from(part.joined_tick) > ticks * rules.joined_late {
        Reason::JoinedLate
    } else if f64::from(part.left_tick) < ticks * rules.stay_until && !has_lost {
        Reason::LeftEarly
    } else {
        Reason::Ranked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts =
        Facts { is_ranked: true, has_result: true, winner: Some(0), ticks: 6_000, tick_hz: 60 };

    fn part(team: usize) -> Part {
        Part { team, is_guest: false, joined_tick: 0, left_tick: 6_000 }
    }

    /// Reason of the first of six players, the others being beyond doubt.
    fn first(facts: Facts, first: Part) -> Reason {
        let parts = [first, part(0), part(0), part(1), part(1), part(1)];
        judge(&Rules::default(), &facts, &parts)[0]
    }

    #[test]
    fn every_reason_has_its_case() {
        let ranked = part(0);
        assert_eq!(first(FACTS, ranked), Reason::Ranked);
        let unranked = Facts { is_ranked: false, ..FACTS };
        assert_eq!(first(unranked, ranked), Reason::BattleUnranked);
        assert_eq!(first(Facts { has_result: false, ..FACTS }, ranked), Reason::NoResult);
        assert_eq!(first(Facts { ticks: 1_799, ..FACTS }, ranked), Reason::TooShort);
        assert_eq!(first(FACTS, Part { is_guest: true, ..ranked }), Reason::Guest);
        assert_eq!(first(FACTS, Part { joined_tick: 3_001, ..ranked }), Reason::JoinedLate);
        assert_eq!(first(FACTS, Part { joined_tick: 3_000, ..ranked }), Reason::Ranked);
        assert_eq!(first(FACTS, Part { left_tick: 5_399, ..ranked }), Reason::LeftEarly);
        assert_eq!(first(FACTS, Part { left_tick: 5_400, ..ranked }), Reason::Ranked);
        let few = judge(&Rules::default(), &FACTS, &[part(0), part(0), part(1)]);
        assert_eq!(few, [Reason::TooFewPlayers; 3]);
        let uneven = judge(&Rules::default(), &FACTS, &[part(0), part(0), part(0), part(1)]);
        assert_eq!(uneven, [Reason::UnevenTeams; 4]);
    }

    #[test]
    fn leaving_does_not_save_from_a_defeat() {
        let left = Part { left_tick: 100, ..part(0) };
        assert_eq!(first(Facts { winner: Some(1), ..FACTS }, left), Reason::Ranked);
        assert_eq!(first(Facts { winner: Some(0), ..FACTS }, left), Reason::LeftEarly);
        assert_eq!(first(Facts { winner: None, ..FACTS }, left), Reason::LeftEarly);
    }

    #[test]
    fn players_who_are_not_rated_do_not_fill_a_team() {
        let guest = Part { is_guest: true, ..part(1) };
        let reasons = judge(&Rules::default(), &FACTS, &[part(0), part(0), part(1), guest]);
        use Reason::{Guest, TooFewPlayers};
        assert_eq!(reasons, [TooFewPlayers, TooFewPlayers, TooFewPlayers, Guest]);
    }

    #[test]
    fn teams_may_be_one_head_or_an_eighth_apart() {
        let teams = |large: usize, small: usize| {
            let team = |team, heads| std::iter::repeat_n(part(team), heads);
            team(0, large).chain(team(1, small)).collect::<Vec<_>>()
        };
        let reason = |parts: &[Part]| judge(&Rules::default(), &FACTS, parts)[0];
        assert_eq!(reason(&teams(5, 4)), Reason::Ranked);
        assert_eq!(reason(&teams(5, 3)), Reason::UnevenTeams);
        assert_eq!(reason(&teams(32, 28)), Reason::Ranked);
        assert_eq!(reason(&teams(32, 27)), Reason::UnevenTeams);
        // Guests are heads, who comes late is a part of one, and who leaves stays one.
        let mut parts = teams(8, 8);
        parts[8].is_guest = true;
        parts[9].left_tick = 100;
        parts[10].left_tick = 100;
        assert_eq!(reason(&parts), Reason::Ranked);
        for part in &mut parts[11..14] {
            part.joined_tick = 2_400;
        }
        assert_eq!(reason(&parts), Reason::UnevenTeams);
    }
}
