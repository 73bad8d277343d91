//! Squads of a few within a team. The longest-serving member leads, and may name a point.

use bevy_ecs::prelude::*;

use crate::components::{Identity, Requests, Roster, SquadMember, SquadRequest, Vitals};
use crate::id::{PlayerSlot, PointId, SquadId, Team, Tick};
use crate::view::Status;
use crate::world::{Clock, Ground, Rules};

/// One squad of one team.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Squad {
    team: Team,
    id: SquadId,
    members: u16,
    leader: (Tick, PlayerSlot),
    order: Option<PointId>,
}

type Member = (&'static Identity, &'static Requests, &'static Vitals, &'static mut SquadMember);

pub(crate) fn arrange_squads(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    mut players: Query<Member>,
    mut squads: Local<Vec<Squad>>,
) {
    let asked = |(_, requests, vitals, member): (_, &Requests, &Vitals, &SquadMember)| {
        let gone = vitals.status == Status::Left && member.squad.is_some();
        requests.squad.is_some() || requests.order.is_some() || gone
    };
    if !players.iter_many(roster.entities()).flatten().any(|p: (&Identity, _, _, _)| asked(p)) {
        return;
    }
    squads.clear();
    for (identity, _, _, member) in players.iter_many(roster.entities()).flatten() {
        count(&mut squads, identity, member);
    }
    let mut members = players.iter_many_mut(roster.entities());
    while let Some(Ok((identity, requests, vitals, mut member))) = members.fetch_next() {
        let left = vitals.status == Status::Left;
        let wanted = if left { Some(SquadRequest::Leave) } else { requests.squad };
        match wanted {
            Some(SquadRequest::Leave) => leave(&mut squads, identity, &mut member),
            Some(SquadRequest::Join) => {
                leave(&mut squads, identity, &mut member);
                let squad = with_room(&mut squads, identity.team, rules.objective.squad_max.into());
                *member =
                    SquadMember { squad: Some(squad.id), since: clock.tick, order: squad.order };
                squad.members = squad.members.saturating_add(1);
                squad.leader = squad.leader.min((clock.tick, identity.slot));
            }
            None => {}
        }
        let order = requests.order.filter(|o| usize::from(o.0) < ground.map().points.len());
        let own = squads.iter_mut().find(|s| Some(s.id) == member.squad && s.team == identity.team);
        if let (Some(order), Some(squad)) = (order, own)
            && squad.leader == (member.since, identity.slot)
        {
            squad.order = Some(order);
        }
    }
    let mut members = players.iter_many_mut(roster.entities());
    while let Some(Ok((identity, _, _, mut member))) = members.fetch_next() {
        let mut all = squads.iter();
        let squad = all.find(|s| Some(s.id) == member.squad && s.team == identity.team);
        let order = squad.and_then(|squad| squad.order);
        if member.order != order {
            member.order = order;
        }
    }
}

fn count(squads: &mut Vec<Squad>, identity: &Identity, member: &SquadMember) {
    let Some(id) = member.squad else { return };
    let (team, rank) = (identity.team, (member.since, identity.slot));
    match squads.iter_mut().find(|squad| (squad.team, squad.id) == (team, id)) {
        Some(squad) => {
            squad.members = squad.members.saturating_add(1);
            squad.leader = squad.leader.min(rank);
        }
        None => squads.push(Squad { team, id, members: 1, leader: rank, order: member.order }),
    }
}

fn leave(squads: &mut [Squad], identity: &Identity, member: &mut SquadMember) {
    let own = squads.iter_mut().find(|s| Some(s.id) == member.squad && s.team == identity.team);
    if let Some(squad) = own {
        squad.members = squad.members.saturating_sub(1);
    }
    *member = SquadMember::default();
}

/// The squad of the lowest number with room; a new one when there is none.
fn with_room(squads: &mut Vec<Squad>, team: Team, most: u16) -> &mut Squad {
    let lowest = (0..=u16::MAX).map(SquadId).find(|&id| {
        let squad = squads.iter().find(|squad| (squad.team, squad.id) == (team, id));
        squad.is_none_or(|squad| squad.members < most)
    });
    let id = lowest.unwrap_or_default();
    let known = squads.iter().position(|squad| (squad.team, squad.id) == (team, id));
    let place = known.unwrap_or_else(|| {
        let leader = (Tick(u32::MAX), PlayerSlot(u16::MAX));
        squads.push(Squad { team, id, members: 0, leader, order: None });
        squads.len() - 1
    });
    &mut squads[place]
}
