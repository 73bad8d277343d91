//! Conquest: hold the points, spend the other team's tickets.
//!
//! A point moves towards the team with the majority inside its radius, faster with more, and
//! passes through neutral. A final death costs a ticket; holding more points bleeds the other
//! team. At no tickets left, or out of time, the round ends.

use bevy_ecs::prelude::*;

use super::round::{PointControl, Round, is_inside};
use crate::components::{Identity, Pose, Roster, SquadMember, Stats, Vitals};
use crate::config::{ObjectiveRules, ScoreRules};
use crate::event::Event;
use crate::id::{PointId, Team};
use crate::score;
use crate::transient::{Deaths, EventLog};
use crate::world::{Clock, Ground, Rules};

/// A point that changed hands this tick.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Turn {
    Neutralised(Team),
    Captured(Team),
}

type Fighter =
    (&'static Identity, &'static Pose, &'static Vitals, &'static SquadMember, &'static mut Stats);

pub(super) fn capture_points(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    mut fighters: Query<Fighter>,
    mut round: ResMut<Round>,
    mut events: ResMut<EventLog>,
) {
    let places = &ground.map().points;
    for point in &mut round.points {
        point.inside = [0; 2];
    }
    for (identity, pose, vitals, ..) in fighters.iter_many(roster.entities()).flatten() {
        if !vitals.alive() {
            continue;
        }
        for (place, point) in places.iter().zip(&mut round.points) {
            if is_inside(pose.0.pos, place.pos, place.radius_m) {
                let inside = &mut point.inside[identity.team.index()];
                *inside = inside.saturating_add(1);
            }
        }
    }
    for (index, (place, point)) in places.iter().zip(&mut round.points).enumerate() {
        let Some(turn) = advance(point, &rules.objective, clock.dt_s) else { continue };
        let id = PointId(index as u8);
        events.0.push(Event::PointOwner { point: id, owner: point.owner });
        let mut inside = fighters.iter_many_mut(roster.entities());
        while let Some(Ok((identity, pose, vitals, squad, mut stats))) = inside.fetch_next() {
            let (Turn::Neutralised(team) | Turn::Captured(team)) = turn;
            let there = is_inside(pose.0.pos, place.pos, place.radius_m);
            if vitals.alive() && there && identity.team == team {
                stats.score.captures = stats.score.captures.saturating_add(1);
                score::add(&mut stats, points_for(turn, squad.order == Some(id), &rules.score));
            }
        }
    }
}

fn points_for(turn: Turn, ordered: bool, rules: &ScoreRules) -> u32 {
    let base = match turn {
        Turn::Neutralised(_) => rules.neutralise,
        Turn::Captured(_) => rules.capture,
    };
    base + if ordered { rules.order } else { 0 }
}

/// Moves a point by one tick.
fn advance(point: &mut PointControl, rules: &ObjectiveRules, dt_s: f32) -> Option<Turn> {
    let [red, blue] = point.inside.map(i32::from);
    let majority = blue - red;
    if majority == 0 {
        return None;
    }
    let team = if majority > 0 { Team::Blue } else { Team::Red };
    let towards = if majority > 0 { 1.0 } else { -1.0 };
    // Alone at full time; each one more adds half of that speed.
    let factor = (1.0 + 0.5 * (majority.abs() - 1) as f32).min(rules.capture_factor_max);
    let before = point.progress;
    point.progress = (before + towards * factor * dt_s / rules.capture_s).clamp(-1.0, 1.0);
    let passed_neutral = before * towards < 0.0 && point.progress * towards >= 0.0;
    if point.owner == Some(team.other()) && (passed_neutral || before == 0.0) {
        // It stops at neutral for a moment, so that the two steps are two.
        point.progress = 0.0;
        point.owner = None;
        return Some(Turn::Neutralised(team));
    }
    if point.owner.is_none() && point.progress * towards >= 1.0 {
        point.owner = Some(team);
        return Some(Turn::Captured(team));
    }
    None
}

pub(super) fn count_tickets(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rules: Res<Rules>,
    deaths: Res<Deaths>,
    soldiers: Query<&Identity>,
    mut round: ResMut<Round>,
    mut events: ResMut<EventLog>,
) {
    for &slot in &deaths.0 {
        if let Some(Ok(identity)) = roster.get(slot).map(|entity| soldiers.get(entity)) {
            let spent = &mut round.spent[identity.team.index()];
            *spent = spent.saturating_add(1);
        }
    }
    bleed(&mut round, clock.ticks(rules.objective.bleed_s));
    let left = Team::ALL.map(|team| round.tickets_left(team, &rules.objective));
    if left.contains(&0) || round.is_out_of_time(&clock, &rules.objective) {
        round.end(&rules, &clock, &mut events);
    }
}

fn bleed(round: &mut Round, ticks_per_ticket: u32) {
    let owned = Team::ALL
        .map(|team| round.points.iter().filter(|point| point.owner == Some(team)).count() as u32);
    for team in Team::ALL {
        let behind = owned[team.other().index()].saturating_sub(owned[team.index()]);
        let bleeding = &mut round.bleeding[team.index()];
        *bleeding = bleeding.saturating_add(behind);
        let tickets = *bleeding / ticks_per_ticket;
        *bleeding %= ticks_per_ticket;
        let spent = &mut round.spent[team.index()];
        *spent = spent.saturating_add(tickets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SimConfig;

    fn ticks_until(point: &mut PointControl, turn: Turn) -> u32 {
        let rules = SimConfig::default().objective;
        for tick in 1..2_000 {
            if advance(point, &rules, 1.0 / 60.0) == Some(turn) {
                return tick;
            }
        }
        panic!("never");
    }

    #[test]
    fn alone_it_takes_eight_seconds_and_more_are_faster() {
        let mut point = PointControl { inside: [1, 0], ..PointControl::default() };
        assert!((479..=481).contains(&ticks_until(&mut point, Turn::Captured(Team::Red))));
        let mut point = PointControl { inside: [30, 0], ..PointControl::default() };
        assert!((159..=161).contains(&ticks_until(&mut point, Turn::Captured(Team::Red))));
    }

    #[test]
    fn an_enemy_point_is_neutral_first() {
        let mut point = PointControl { owner: Some(Team::Blue), progress: 1.0, inside: [2, 1] };
        assert!((479..=482).contains(&ticks_until(&mut point, Turn::Neutralised(Team::Red))));
        assert_eq!(point.owner, None);
        assert!((479..=482).contains(&ticks_until(&mut point, Turn::Captured(Team::Red))));
    }

    #[test]
    fn equal_numbers_change_nothing() {
        let mut point = PointControl { inside: [3, 3], progress: 0.4, ..PointControl::default() };
        assert_eq!(advance(&mut point, &SimConfig::default().objective, 1.0), None);
        assert_eq!(point.progress, 0.4);
    }

    #[test]
    fn each_point_of_majority_bleeds_a_ticket_each_two_seconds() {
        let mut round = Round::new(3);
        round.points[0].owner = Some(Team::Red);
        round.points[1].owner = Some(Team::Red);
        (0..600).for_each(|_| bleed(&mut round, 120));
        assert_eq!(round.spent, [0, 10]);
    }
}
