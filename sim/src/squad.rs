//! Squads of a few within a team. The longest-serving member leads, and may name a point.
//!
//! A squad is nothing but its members: who leads and what was ordered is found out anew in every
//! tick in which somebody asks for something, from what each member knows.

use bevy_ecs::prelude::*;

use crate::components::{Identity, Requests, Roster, SquadMember, SquadRequest, Vitals};
use crate::id::{PlayerSlot, PointId, SquadId, Tick};
use crate::view::Status;
use crate::world::{Clock, Ground, Rules};

/// One squad as its members make it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Squad {
    members: u8,
    /// Since when, and who.
    leader: Option<(Tick, PlayerSlot)>,
    order: Option<PointId>,
}

/// The squads of both teams, by number; some are empty.
#[derive(Debug, Default)]
pub(crate) struct Squads([Vec<Squad>; 2]);

type Member = (&'static Identity, &'static Requests, &'static Vitals, &'static mut SquadMember);

pub(crate) fn arrange_squads(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    mut players: Query<Member>,
    mut squads: Local<Squads>,
) {
    let anything_asked =
        players.iter_many(roster.entities()).flatten().any(|(_, requests, vitals, member)| {
            wish(requests, vitals, member).is_some() || requests.order.is_some()
        });
    if !anything_asked {
        return;
    }
    squads.count(players.iter_many(roster.entities()).flatten());
    let mut members = players.iter_many_mut(roster.entities());
    while let Some(Ok((identity, requests, vitals, mut member))) = members.fetch_next() {
        let Some(wish) = wish(requests, vitals, &member) else { continue };
        if let Some(squad) = squads.of(identity, &member) {
            squad.members -= 1;
        }
        *member = match wish {
            SquadRequest::Leave => SquadMember::default(),
            SquadRequest::Join => {
                let squad = squads.take_room(identity, rules.objective.squad_max);
                SquadMember { squad: Some(squad), since: clock.tick, order: None }
            }
        };
    }
    // Leaders may have left: whoever orders now must lead now.
    squads.count(players.iter_many(roster.entities()).flatten());
    for (identity, requests, _, member) in players.iter_many(roster.entities()).flatten() {
        let order = requests.order.filter(|o| usize::from(o.0) < ground.map().points.len());
        if let (Some(order), Some(squad)) = (order, squads.of(identity, member))
            && squad.leader == Some((member.since, identity.slot))
        {
            squad.order = Some(order);
        }
    }
    let mut members = players.iter_many_mut(roster.entities());
    while let Some(Ok((identity, _, _, mut member))) = members.fetch_next() {
        member.order = squads.of(identity, &member).and_then(|squad| squad.order);
    }
}

/// What a player wants of squads; whoever has left the battle wants out.
fn wish(requests: &Requests, vitals: &Vitals, member: &SquadMember) -> Option<SquadRequest> {
    match vitals.status {
        Status::Left => member.squad.map(|_| SquadRequest::Leave),
        _ => requests.squad,
    }
}

impl Squads {
    fn count<'a>(
        &mut self,
        members: impl Iterator<Item = (&'a Identity, &'a Requests, &'a Vitals, &'a SquadMember)>,
    ) {
        self.0.iter_mut().for_each(Vec::clear);
        for (identity, _, _, member) in members {
            let Some(SquadId(id)) = member.squad else { continue };
            let squads = &mut self.0[identity.team.index()];
            let count = squads.len().max(usize::from(id) + 1);
            squads.resize(count, Squad::default());
            let squad = &mut squads[usize::from(id)];
            squad.members = squad.members.saturating_add(1);
            let rank = (member.since, identity.slot);
            if squad.leader.is_none_or(|leader| rank < leader) {
                squad.leader = Some(rank);
                squad.order = member.order;
            }
        }
    }

    fn of(&mut self, identity: &Identity, member: &SquadMember) -> Option<&mut Squad> {
        self.0[identity.team.index()].get_mut(usize::from(member.squad?.0))
    }

    /// A place in the squad of the lowest number with room; in a new one when there is none.
    fn take_room(&mut self, identity: &Identity, most: u8) -> SquadId {
        let squads = &mut self.0[identity.team.index()];
        let with_room = squads.iter().position(|squad| squad.members < most);
        let id = with_room.unwrap_or_else(|| {
            squads.push(Squad::default());
            squads.len() - 1
        });
        squads[id].members += 1;
        SquadId(id as u16)
    }
}
