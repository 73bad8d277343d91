//! The tick's commands become joins, intents and requests.
//!
//! Commands come from strangers. What cannot be is skipped: a slot that nobody has, a slot out of
//! turn, a class out of season. Nothing here fails.

use bevy_ecs::prelude::*;

use crate::command::{Action, Buttons, Command, Input};
use crate::components::{
    Identity, Intent, Requests, Roster, Soldier, SquadMember, SquadRequest, Vitals,
};
use crate::event::Event;
use crate::id::{Class, PlayerKey, PlayerSlot, Team};
use crate::place::{Place, place_of};
use crate::schedule::{Phase, Timetable};
use crate::transient::{Deaths, Departure, Departures, EventLog, Work, Wounds};
use crate::view::Status;
use crate::world::{Clock, Rules};

/// The commands of the tick being stepped, by slot.
#[derive(Resource, Debug, Default)]
pub(crate) struct Inbox(pub Vec<Command>);

pub(crate) fn add_systems(timetable: &mut Timetable) {
    timetable.add(
        Phase::Receive,
        (advance_clock, clear_facts, admit_players, start_intents, apply_commands).chain(),
    );
}

fn advance_clock(mut clock: ResMut<Clock>) {
    clock.tick.0 += 1;
}

fn clear_facts(
    mut events: ResMut<EventLog>,
    mut wounds: ResMut<Wounds>,
    mut deaths: ResMut<Deaths>,
    mut departures: ResMut<Departures>,
    mut work: ResMut<Work>,
) {
    events.0.clear();
    wounds.0.clear();
    deaths.0.clear();
    departures.0.clear();
    work.0.fill(0);
}

/// Joins: the only place where soldiers' entities are made.
fn admit_players(world: &mut World) {
    // Taken out and put back, since spawning needs the whole world.
    let inbox = std::mem::take(&mut world.resource_mut::<Inbox>().0);
    for command in &inbox {
        if let Action::Join { key, team, class } = command.action {
            admit(world, command.player, key, team, class);
        }
    }
    world.resource_mut::<Inbox>().0 = inbox;
}

/// A join for another slot than the rule of places gives is nobody's.
fn admit(world: &mut World, slot: PlayerSlot, key: PlayerKey, team: Option<Team>, class: Class) {
    let players_max = world.resource::<Rules>().players_max;
    let rows = world.resource::<Roster>().entities().iter().filter_map(|&entity| {
        Some((world.get::<Identity>(entity)?.key, world.get::<Vitals>(entity)?.status))
    });
    let team = match place_of(rows, key, players_max) {
        Place::New(free) if free == slot => {
            let team = team.unwrap_or_else(|| smaller_team(world));
            let identity = Identity { key, slot, team, class };
            let entity = world.spawn(Soldier { identity, ..Soldier::default() }).id();
            world.resource_mut::<Roster>().push(entity);
            world.resource_mut::<Work>().0.push(0);
            team
        }
        Place::Again(own) if own == slot => match come_again(world, slot, team, class) {
            Some(team) => team,
            None => return,
        },
        _ => return,
    };
    world.resource_mut::<EventLog>().0.push(Event::Joined { player: slot, team });
}

/// Who left is back, and waits to come in: with the side of before unless it is sent to another,
/// with the old score, and at the end of the queue of the waves.
fn come_again(
    world: &mut World,
    slot: PlayerSlot,
    team: Option<Team>,
    class: Class,
) -> Option<Team> {
    let entity = world.resource::<Roster>().get(slot)?;
    let mut soldier = world.get_entity_mut(entity).ok()?;
    *soldier.get_mut::<Requests>()? = Requests::default();
    *soldier.get_mut::<SquadMember>()? = SquadMember::default();
    soldier.get_mut::<Vitals>()?.status = Status::Waiting;
    let mut identity = soldier.get_mut::<Identity>()?;
    identity.team = team.unwrap_or(identity.team);
    identity.class = class;
    Some(identity.team)
}

/// The team with fewer players who have not left; Red when equal.
fn smaller_team(world: &World) -> Team {
    let mut players = [0u32; 2];
    for &entity in world.resource::<Roster>().entities() {
        let status = world.get::<Vitals>(entity).map(|vitals| vitals.status);
        let team = world.get::<Identity>(entity).map(|identity| identity.team);
        if let (Some(team), Some(Status::Waiting | Status::Alive | Status::Down)) = (team, status) {
            players[team.index()] += 1;
        }
    }
    if players[Team::Blue.index()] < players[Team::Red.index()] { Team::Blue } else { Team::Red }
}

/// Without an input a soldier stands still and keeps its view.
fn start_intents(roster: Res<Roster>, mut soldiers: Query<(&mut Intent, &mut Requests)>) {
    let mut soldiers = soldiers.iter_many_mut(roster.entities());
    while let Some(Ok((mut intent, mut requests))) = soldiers.fetch_next() {
        let last = intent.input;
        intent.previous = last.buttons;
        intent.input =
            Input { move_right: 0, move_forward: 0, buttons: Buttons::default(), ..last };
        requests.start_tick();
    }
}

pub(crate) fn apply_commands(
    inbox: Res<Inbox>,
    roster: Res<Roster>,
    clock: Res<Clock>,
    mut soldiers: Query<(&mut Intent, &mut Requests, &mut Vitals)>,
    mut departures: ResMut<Departures>,
) {
    for command in &inbox.0 {
        let Some(entity) = roster.get(command.player) else { continue };
        let Ok((mut intent, mut requests, mut vitals)) = soldiers.get_mut(entity) else { continue };
        if vitals.status == Status::Left {
            continue;
        }
        match command.action {
            Action::Join { .. } => {}
            Action::Leave | Action::Lapse { .. } => {
                let since = match command.action {
                    Action::Lapse { since } => since.min(clock.tick),
                    _ => clock.tick,
                };
                let was = std::mem::replace(&mut vitals.status, Status::Left);
                departures.0.push(Departure { player: command.player, was, since });
            }
            Action::Input(input) => intent.input = legal(input, &intent.input, &clock),
            Action::Spawn { at, class } => requests.spawn = Some((at, class)),
            Action::GiveUp => requests.give_up = true,
            Action::JoinSquad => requests.squad = Some(SquadRequest::Join),
            Action::LeaveSquad => requests.squad = Some(SquadRequest::Leave),
            Action::SquadOrder(point) => requests.order = Some(point),
            Action::Spot => requests.spot = true,
        }
    }
}

/// The nearest input that the rules know. -128 is no legal axis, unknown buttons and weapons do
/// nothing, and nobody has seen a tick that has not been.
fn legal(input: Input, before: &Input, clock: &Clock) -> Input {
    Input {
        move_right: input.move_right.max(-127),
        move_forward: input.move_forward.max(-127),
        yaw: input.yaw,
        pitch: input.pitch.clamped(),
        buttons: Buttons(input.buttons.0 & Buttons::ALL.0),
        weapon_slot: if input.weapon_slot < 3 { input.weapon_slot } else { before.weapon_slot },
        view_tick: input.view_tick.min(clock.tick),
    }
}

#[cfg(test)]
mod tests {
    use sortie_field::Pitch;

    use super::*;
    use crate::id::Tick;

    #[test]
    fn nonsense_becomes_the_nearest_legal_input() {
        let clock = Clock { tick: Tick(100), ..Clock::new(60) };
        let before = Input { weapon_slot: 1, ..Input::default() };
        let nonsense = Input {
            move_right: i8::MIN,
            pitch: Pitch(i16::MIN),
            buttons: Buttons(u16::MAX),
            weapon_slot: 200,
            view_tick: Tick(u32::MAX),
            ..Input::default()
        };
        let input = legal(nonsense, &before, &clock);
        assert_eq!(input.move_right, -127);
        assert_eq!(input.pitch, Pitch::MIN);
        assert_eq!(input.buttons, Buttons::ALL);
        assert_eq!(input.weapon_slot, 1);
        assert_eq!(input.view_tick, Tick(100));
    }
}
