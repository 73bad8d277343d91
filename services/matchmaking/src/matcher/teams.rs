//! Two fair teams out of some tickets: parties stay together, sizes equal or nearly so, and as
//! strong as each other.
//!
//! Three steps, none above O(k log k) for k tickets: the largest parties are dealt first, each to
//! the smaller team; sizes are evened out by swaps, and if need be by leaving somebody out; then
//! tickets of equal size, and parties for players who came alone, are swapped while that brings
//! the teams' strengths together.

use std::ops::Range;

use crate::rating::Strength;

/// What teams have to be.
#[derive(Clone, Copy, Debug)]
pub struct TeamLimits {
    /// Fewest players of each.
    pub least: u32,
    /// Most players of each.
    pub most: u32,
    /// By how many they may differ when there is no other way.
    pub difference_max: u32,
}

/// Rounds of swaps for strength. Each about halves what is left; more rounds change nothing.
const SWAPS_MAX: usize = 24;

/// Indices into the tickets, by team.
pub type Teams = [Vec<usize>; 2];

/// Deals `tickets` into two teams; `None` when no fair ones were found. The first ticket is the
/// one that the match is made for, and is never left out; others may be.
pub fn deal(tickets: &[Strength], limits: TeamLimits) -> Option<Teams> {
    let mut teams = deal_sizes(tickets);
    even_sizes(tickets, &mut teams);
    while players(tickets, &teams[0]) != players(tickets, &teams[1]) {
        if !leave_one_out(tickets, &mut teams, limits) {
            break;
        }
        even_sizes(tickets, &mut teams);
    }
    let [zero, one] = [0, 1].map(|team| players(tickets, &teams[team]));
    let is_fair = zero.abs_diff(one) <= limits.difference_max;
    if !is_fair || zero.min(one) < limits.least || zero.max(one) > limits.most {
        return None;
    }
    even_strengths(tickets, &mut teams);
    Some(teams)
}

/// The largest first, each to the team with fewer players, or of equal ones the weaker.
fn deal_sizes(tickets: &[Strength]) -> Teams {
    let mut order: Vec<usize> = (0..tickets.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&tickets[a], &tickets[b]);
        b.players.cmp(&a.players).then(b.sum.total_cmp(&a.sum))
    });
    let mut teams = Teams::default();
    let mut all = [Strength::default(); 2];
    for at in order {
        let [zero, one] = all;
        let zero_first =
            zero.players < one.players || zero.players == one.players && zero.sum <= one.sum;
        let team = usize::from(!zero_first);
        teams[team].push(at);
        all[team] = all[team].with(tickets[at]);
    }
    teams
}

fn players(tickets: &[Strength], team: &[usize]) -> u32 {
    team.iter().map(|&at| tickets[at].players).sum()
}

/// Moves and swaps between the teams as long as one brings their sizes closer.
fn even_sizes(tickets: &[Strength], teams: &mut Teams) {
    loop {
        let sizes = [0, 1].map(|team| players(tickets, &teams[team]));
        let (large, small) = if sizes[0] >= sizes[1] { (0, 1) } else { (1, 0) };
        let apart = sizes[large] - sizes[small];
        // Moving `by` players makes the teams |apart - 2 by| apart: the nearest to its half wins,
        // and a whole half only needs `apart` of 2 or more.
        let better = best_move(tickets, teams, large, small, apart);
        let Some((from, to)) = better else { return };
        let moved = teams[large].swap_remove(from);
        if let Some(to) = to {
            let back = teams[small].swap_remove(to);
            teams[large].push(back);
        }
        teams[small].push(moved);
    }
}

/// A ticket of the large team to move, and one of the small team to take for it, if any.
fn best_move(
    tickets: &[Strength],
    teams: &Teams,
    large: usize,
    small: usize,
    apart: u32,
) -> Option<(usize, Option<usize>)> {
    // Parties have eight sizes: one ticket of each stands for all.
    let by_size = |team: usize| {
        let mut found = [None; 9];
        for (place, &at) in teams[team].iter().enumerate() {
            if let Some(slot) = found.get_mut(tickets[at].players as usize) {
                *slot = Some(place);
            }
        }
        found
    };
    let (from, to) = (by_size(large), by_size(small));
    let mut best = (apart, None);
    for (given, place) in from.iter().enumerate() {
        let Some(place) = *place else { continue };
        for (taken, back) in to.iter().enumerate().take(given) {
            // Nothing in return is the ticket of size 0.
            if taken > 0 && back.is_none() {
                continue;
            }
            let left = apart.abs_diff(2 * (given - taken) as u32);
            if left < best.0 {
                best = (left, Some((place, *back)));
            }
        }
    }
    best.1
}

/// Leaves out the ticket of the larger team that brings the sizes closest; of equal ones the
/// last that was gathered. False: that would not help, or not leave enough.
fn leave_one_out(tickets: &[Strength], teams: &mut Teams, limits: TeamLimits) -> bool {
    let sizes = [0, 1].map(|team| players(tickets, &teams[team]));
    let large = usize::from(sizes[1] > sizes[0]);
    let apart = sizes[0].abs_diff(sizes[1]);
    let spare = sizes[large].saturating_sub(limits.least);
    let candidates = teams[large].iter().enumerate().filter(|&(_, &at)| {
        at != 0 && tickets[at].players <= spare && apart.abs_diff(tickets[at].players) < apart
    });
    let best = candidates
        .min_by_key(|&(_, &at)| (apart.abs_diff(tickets[at].players), std::cmp::Reverse(at)));
    let Some((place, _)) = best else { return false };
    teams[large].swap_remove(place);
    true
}

/// Swaps as many players for as many while that brings the strengths together.
fn even_strengths(tickets: &[Strength], teams: &mut Teams) {
    let key = |&at: &usize| (tickets[at].players, tickets[at].sum);
    let less = |a: &usize, b: &usize| {
        let ((a_size, a_sum), (b_size, b_sum)) = (key(a), key(b));
        a_size.cmp(&b_size).then(a_sum.total_cmp(&b_sum))
    };
    for _ in 0..SWAPS_MAX {
        for team in &mut *teams {
            team.sort_by(less);
        }
        let sum = |team: &[usize]| team.iter().map(|&at| tickets[at].sum).sum::<f64>();
        let apart = sum(&teams[0]) - sum(&teams[1]);
        let mut best = Best { apart: apart.abs() * 0.999, swap: None };
        like_for_like(tickets, teams, apart, &mut best);
        for party_team in [0, 1] {
            party_for_singles(tickets, teams, party_team, apart, &mut best);
        }
        let Some([zero, one]) = best.swap else { return };
        let moved: Vec<usize> = teams[0].drain(zero).collect();
        let back: Vec<usize> = teams[1].drain(one).collect();
        teams[0].extend(back);
        teams[1].extend(moved);
    }
}

/// The swap that leaves the strengths closest so far: places of team 0 for places of team 1.
struct Best {
    apart: f64,
    swap: Option<[Range<usize>; 2]>,
}

impl Best {
    fn offer(&mut self, apart: f64, swap: [Range<usize>; 2]) {
        if apart.abs() < self.apart {
            *self = Self { apart: apart.abs(), swap: Some(swap) };
        }
    }
}

/// One ticket for one of the same size. Both teams are in order of size and strength, so that one
/// walk over both finds the best.
fn like_for_like(tickets: &[Strength], teams: &Teams, apart: f64, best: &mut Best) {
    let [zero, one] = teams;
    let (mut i, mut j) = (0, 0);
    while i < zero.len() && j < one.len() {
        let (a, b) = (tickets[zero[i]], tickets[one[j]]);
        if a.players != b.players {
            if a.players < b.players {
                i += 1
            } else {
                j += 1
            }
            continue;
        }
        let left = apart - 2.0 * (a.sum - b.sum);
        best.offer(left, [i..i + 1, j..j + 1]);
        // Too much given away: a stronger ticket in return helps, a weaker one does not.
        if left < 0.0 { j += 1 } else { i += 1 }
    }
}

/// A party for as many players who came alone. Those stand first in their team, in order of
/// strength: of all stretches of them, a binary search finds the one that suits best.
fn party_for_singles(
    tickets: &[Strength],
    teams: &Teams,
    party_team: usize,
    apart: f64,
    best: &mut Best,
) {
    let (parties, others) = (&teams[party_team], &teams[1 - party_team]);
    let mut sums = vec![0.0];
    for &at in others.iter().take_while(|&&at| tickets[at].players == 1) {
        sums.push(sums[sums.len() - 1] + tickets[at].sum);
    }
    // As the team with the party sees it.
    let apart = if party_team == 0 { apart } else { -apart };
    for (place, &at) in parties.iter().enumerate() {
        let party = tickets[at];
        let size = party.players as usize;
        if size < 2 || size >= sums.len() {
            continue;
        }
        let left = |from: usize| apart - 2.0 * (party.sum - (sums[from + size] - sums[from]));
        let (mut low, mut high) = (0, sums.len() - 1 - size);
        while low < high {
            let middle = (low + high) / 2;
            if left(middle) < 0.0 { low = middle + 1 } else { high = middle }
        }
        for from in low.saturating_sub(1)..=low {
            let [own, singles] = [place..place + 1, from..from + size];
            let swap = if party_team == 0 { [own, singles] } else { [singles, own] };
            best.offer(left(from), swap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(list: &[(u32, f64)]) -> Vec<Strength> {
        list.iter().map(|&(players, rating)| Strength::of(players, rating, 5.0)).collect()
    }

    #[test]
    fn a_strong_party_is_swapped_for_strong_players_who_came_alone() {
        let mut list = vec![(4, 40.0), (4, 20.0)];
        list.extend((0..8).map(|at| (1, 26.0 + f64::from(at))));
        let tickets = tickets(&list);
        let limits = TeamLimits { least: 8, most: 8, difference_max: 0 };
        let teams = deal(&tickets, limits).unwrap();
        let sum = |team: usize| teams[team].iter().map(|&at| tickets[at].sum).sum::<f64>();
        // The best that can be: the parties in one team, all others in the other.
        assert!((sum(0) - sum(1)).abs() <= 4.0, "{} {}", sum(0), sum(1));
    }

    fn sizes(tickets: &[Strength], teams: &Teams) -> [u32; 2] {
        [0, 1].map(|team| players(tickets, &teams[team]))
    }

    #[test]
    fn parties_that_are_dealt_badly_are_swapped_to_equal_sizes() {
        let tickets = tickets(&[(5, 25.0), (4, 25.0), (3, 25.0), (3, 25.0), (3, 25.0)]);
        let limits = TeamLimits { least: 4, most: 9, difference_max: 0 };
        let teams = deal(&tickets, limits).unwrap();
        assert_eq!(sizes(&tickets, &teams), [9, 9]);
    }

    #[test]
    fn one_is_left_out_before_teams_differ() {
        let tickets = tickets(&[(1, 25.0), (1, 20.0), (1, 30.0)]);
        let limits = TeamLimits { least: 1, most: 4, difference_max: 1 };
        let teams = deal(&tickets, limits).unwrap();
        assert_eq!(sizes(&tickets, &teams), [1, 1]);
        assert!(teams.iter().flatten().any(|&at| at == 0), "the one that it is for is in it");
    }

    #[test]
    fn sizes_differ_when_parties_leave_no_other_way_and_no_further() {
        let tickets = tickets(&[(3, 25.0), (2, 25.0)]);
        let limits = |difference_max| TeamLimits { least: 2, most: 4, difference_max };
        assert_eq!(deal(&tickets, limits(0)), None);
        assert_eq!(sizes(&tickets, &deal(&tickets, limits(1)).unwrap()), [3, 2]);
    }

    #[test]
    fn strengths_come_together() {
        let list: Vec<(u32, f64)> = (0..32).map(|at| (1, 15.0 + f64::from(at))).collect();
        let tickets = tickets(&list);
        let limits = TeamLimits { least: 16, most: 16, difference_max: 0 };
        let teams = deal(&tickets, limits).unwrap();
        let sum = |team: usize| teams[team].iter().map(|&at| tickets[at].sum).sum::<f64>();
        assert!((sum(0) - sum(1)).abs() <= 1.0, "{} {}", sum(0), sum(1));
    }
}
