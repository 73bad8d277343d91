//! What a battle does to the ratings of those who fought in it.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::eligibility::{Facts, Part, Reason};
use crate::rating::{Fighter, Skill, rate};

/// What happens to a player's rating.
pub(super) struct Change {
    pub player_id: Uuid,
    pub reason: Reason,
    pub before: Skill,
    pub after: Skill,
    /// `None`: a draw.
    pub has_won: Option<bool>,
}

/// What happens to each player's rating, in the order of `ids`; `parts` and `reasons` have the
/// same order.
pub(super) fn changes(
    ids: &[Uuid],
    facts: &Facts,
    parts: &[Part],
    reasons: &[Reason],
    before: &BTreeMap<Uuid, Skill>,
) -> Vec<Change> {
    let before = ids.iter().map(|id| before.get(id).copied().unwrap_or_default());
    let before: Vec<Skill> = before.collect();
    let after = after(facts, parts, reasons, &before);
    let all = ids.iter().enumerate();
    all.map(|(at, &player_id)| Change {
        player_id,
        reason: reasons[at],
        before: before[at],
        after: after[at],
        has_won: facts.winner.map(|winner| winner == parts[at].team),
    })
    .collect()
}

/// The skills after the battle, in the order of `parts`.
pub(super) fn after(
    facts: &Facts,
    parts: &[Part],
    reasons: &[Reason],
    before: &[Skill],
) -> Vec<Skill> {
    let all = parts.iter().zip(reasons).zip(before);
    let fighters = all.map(|((part, reason), skill)| Fighter {
        skill: *skill,
        team: part.team,
        fought: facts.share(part.joined_tick, part.left_tick),
        expected: facts.share(part.joined_tick, facts.ticks),
        is_rated: *reason == Reason::Ranked,
    });
    rate(&fighters.collect::<Vec<_>>(), facts.winner)
}
