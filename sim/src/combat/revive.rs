//! Between down and dead: mates help up, time runs out, players give up.

use bevy_ecs::prelude::*;
use sortie_field::Vec3;

use crate::command::Buttons;
use crate::components::{
    Grudges, Identity, Intent, Pose, Requests, Roster, SquadMember, Stats, Vitals,
};
use crate::event::Event;
use crate::id::{PlayerSlot, SquadId, Team};
use crate::score;
use crate::transient::{Deaths, EventLog};
use crate::view::Status;
use crate::world::{Clock, Rules};

/// A soldier who holds the use button.
#[derive(Clone, Copy, Debug)]
pub(super) struct Helper {
    slot: PlayerSlot,
    team: Team,
    squad: Option<SquadId>,
    fast: bool,
    pos: Vec3,
}

type HelperParts =
    (&'static Identity, &'static Pose, &'static Intent, &'static Vitals, &'static SquadMember);

type Downed = (
    &'static Identity,
    &'static Pose,
    &'static SquadMember,
    &'static mut Vitals,
    &'static mut Grudges,
);

pub(super) fn help_downed(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rules: Res<Rules>,
    mut soldiers: ParamSet<(Query<HelperParts>, Query<Downed>, Query<&mut Stats>)>,
    mut helpers: Local<Vec<Helper>>,
    mut revived: Local<Vec<PlayerSlot>>,
    mut events: ResMut<EventLog>,
) {
    helpers.clear();
    helpers.extend(soldiers.p0().iter_many(roster.entities()).flatten().filter_map(
        |(identity, pose, intent, vitals, squad)| {
            let helps = vitals.alive() && intent.holds(Buttons::USE);
            let fast = rules.class(identity.class).revives_fast;
            let Identity { slot, team, .. } = *identity;
            helps.then_some(Helper { slot, team, squad: squad.squad, fast, pos: pose.0.pos })
        },
    ));
    revived.clear();
    let mut downed = soldiers.p1();
    let mut downed = downed.iter_many_mut(roster.entities());
    while let Some(Ok((identity, pose, squad, mut vitals, mut grudges))) = downed.fetch_next() {
        if vitals.status != Status::Down {
            continue;
        }
        let able = |helper: &&Helper| {
            let mate = squad.squad.is_some() && helper.squad == squad.squad;
            helper.team == identity.team
                && (helper.fast || mate)
                && (helper.pos - pose.0.pos).length() <= rules.combat.reach_m
        };
        // Whoever began goes on; else the fastest, the lowest slot when equal.
        let candidates = || helpers.iter().filter(able);
        let going_on = candidates().find(|helper| Some(helper.slot) == vitals.reviver);
        let Some(helper) =
            going_on.or(candidates().min_by_key(|helper| (!helper.fast, helper.slot)))
        else {
            vitals.reviver = None;
            vitals.revive_ticks = 0;
            continue;
        };
        if vitals.reviver != Some(helper.slot) {
            vitals.reviver = Some(helper.slot);
            vitals.revive_ticks = 0;
        }
        vitals.revive_ticks = vitals.revive_ticks.saturating_add(1);
        let seconds =
            if helper.fast { rules.combat.revive_medic_s } else { rules.combat.revive_mate_s };
        if u32::from(vitals.revive_ticks) >= clock.ticks(seconds) {
            vitals.status = Status::Alive;
            vitals.health_hp = rules.combat.revive_hp;
            vitals.reviver = None;
            vitals.revive_ticks = 0;
            *grudges = Grudges::default();
            events.0.push(Event::Revived { victim: identity.slot, medic: helper.slot });
            revived.push(helper.slot);
        }
    }
    let mut stats = soldiers.p2();
    for &helper in revived.iter() {
        let Some(Ok(mut stats)) = roster.get(helper).map(|entity| stats.get_mut(entity)) else {
            continue;
        };
        stats.score.revives = stats.score.revives.saturating_add(1);
        score::add(&mut stats, rules.score.revive);
    }
}

/// Downed soldiers whose time is over, or who gave up, die. Time alive is counted here too.
pub(super) fn end_lives(
    roster: Res<Roster>,
    clock: Res<Clock>,
    mut soldiers: Query<(&Identity, &Requests, &mut Vitals, &mut Stats)>,
    mut deaths: ResMut<Deaths>,
    mut events: ResMut<EventLog>,
) {
    let mut soldiers = soldiers.iter_many_mut(roster.entities());
    while let Some(Ok((identity, requests, mut vitals, mut stats))) = soldiers.fetch_next() {
        match vitals.status {
            Status::Alive => stats.alive_ticks = stats.alive_ticks.saturating_add(1),
            Status::Down if clock.tick >= vitals.bleeds_out_at || requests.give_up => {
                vitals.status = Status::Waiting;
                vitals.reviver = None;
                vitals.revive_ticks = 0;
                stats.score.deaths = stats.score.deaths.saturating_add(1);
                deaths.0.push(identity.slot);
                events.0.push(Event::Died { victim: identity.slot });
            }
            _ => {}
        }
    }
}
