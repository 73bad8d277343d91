//! Which of those who wait play each other. Pure: no clock, no database.
//!
//! The one who has waited longest is served first: the nearest in rating join, within the window
//! of that one, until two full teams are there, or nobody is left within it. The window of the
//! oldest decides alone: if both had to agree, the best and the worst would wait for good among
//! newcomers whose windows are narrow. What keeps such a match fair is the dealing of the teams,
//! and a bound on how far the chance to win may be from one half, which rises with time, too.
//!
//! Sorting costs O(n log n). Each ticket that is served in vain costs O(log n), because the line
//! is asked first whether enough players are near; making a match of k tickets costs O(k log k),
//! and each ticket is in one match only.

use uuid::Uuid;

use super::line::Line;
use super::teams::{TeamLimits, Teams, deal};
use crate::rating::{Strength, win_chance};
use crate::settings::Queue;

/// A ticket that waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Id of the ticket.
    pub ticket_id: Uuid,
    /// For how long, seconds.
    pub waited_s: f64,
    /// Its players together.
    pub strength: Strength,
}

/// Two teams that should play each other.
#[derive(Clone, Debug)]
pub struct Match {
    /// Tickets of each team, as places in what was planned for.
    pub teams: Teams,
    /// The ticket that the match was made for: its window counts, and its patience.
    pub served: usize,
    /// Chance that team 0 wins.
    pub win_chance: f64,
}

/// Tickets too large for the seats that are left that are passed by, most.
const SKIPS_MAX: usize = 32;

/// All matches that can be made now of `waiting`, which stands oldest first.
pub fn matches(queue: &Queue, waiting: &[Waiting]) -> Vec<Match> {
    let means: Vec<f64> = waiting.iter().map(|ticket| ticket.strength.mean()).collect();
    let mut order: Vec<usize> = (0..waiting.len()).collect();
    // Stable: equal ratings stay in order of age.
    order.sort_by(|&a, &b| means[a].total_cmp(&means[b]));
    let mut places = vec![0; waiting.len()];
    for (place, &at) in order.iter().enumerate() {
        places[at] = place;
    }
    let mut line = Line::new(order.iter().map(|&at| (means[at], waiting[at].strength.players)));
    let mut made = Vec::new();
    for oldest in 0..waiting.len() {
        if line.is_taken(places[oldest]) {
            continue;
        }
        let Some(found) = serve(queue, waiting, &line, &order, places[oldest]) else { continue };
        for &at in found.teams.iter().flatten() {
            line.take(places[at]);
        }
        made.push(found);
    }
    made
}

/// A match for the ticket at `place` of the line.
fn serve(
    queue: &Queue,
    waiting: &[Waiting],
    line: &Line,
    order: &[usize],
    place: usize,
) -> Option<Match> {
    let oldest = &waiting[order[place]];
    let width = queue.window.half_width(oldest.waited_s);
    let least = queue.team_needed(oldest.waited_s);
    let mean = oldest.strength.mean();
    // With teams that may differ, the smaller one has `least`, too.
    if line.players_within(mean, width) < 2 * least {
        return None;
    }
    let mut gathered = vec![order[place]];
    let mut seats = (2 * queue.team_max).checked_sub(oldest.strength.players)?;
    let mut skips = 0;
    for near in line.nearest(place, width) {
        let players = waiting[order[near]].strength.players;
        if players <= seats {
            seats -= players;
            gathered.push(order[near]);
        } else {
            skips += 1;
        }
        if seats == 0 || skips > SKIPS_MAX {
            break;
        }
    }
    let strengths: Vec<Strength> = gathered.iter().map(|&at| waiting[at].strength).collect();
    let most = queue.team_max;
    let limits = TeamLimits { least, most, difference_max: queue.team_difference_max };
    let dealt = deal(&strengths, limits)?;
    let all = dealt
        .each_ref()
        .map(|team| team.iter().fold(Strength::default(), |sum, &at| sum.with(strengths[at])));
    let teams = dealt.map(|team| team.into_iter().map(|at| gathered[at]).collect());
    let chance = win_chance(all);
    let is_fair = (chance - 0.5).abs() <= queue.window.unfair(oldest.waited_s);
    is_fair.then_some(Match { teams, served: order[place], win_chance: chance })
}
