//! What a round is about. A mode is a module: systems that read the tick's facts and end the round.
//!
//! [`Round`] is the state that all modes share; what a mode does not use stays as it is.

mod conquest;
mod deathmatch;

use bevy_ecs::prelude::*;
use sortie_field::Vec3;
use sortie_field::map::Map;

use crate::codec::{Corrupt, Saved, Sink, Source, saved};
use crate::components::{Identity, Roster};
use crate::config::{Mode, ObjectiveRules};
use crate::event::Event;
use crate::facts::EventLog;
use crate::id::{Team, Tick};
use crate::schedule::{Phase, Timetable};
use crate::view::RoundState;
use crate::world::{Clock, Rules};

/// How the round stands.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Round {
    /// Running, or how it ended.
    pub state: RoundState,
    /// Capture points, in the map's order.
    pub points: Vec<Point>,
    /// Tickets lost (Conquest) per team.
    pub spent: [u32; 2],
    /// Conquest: point-ticks of the other team's majority not yet turned into tickets.
    pub bleeding: [u32; 2],
    /// Deathmatch: score per team.
    pub kills: [u32; 2],
    /// Players that ever joined, per team.
    pub players: [u32; 2],
}

/// How a capture point stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Who owns it.
    pub owner: Option<Team>,
    /// -1 (Red's) to 1 (Blue's).
    pub progress: f32,
    /// Soldiers alive inside, per team.
    pub inside: [u16; 2],
}

saved!(Point { owner, progress, inside });
saved!(Round { state, points, spent, bleeding, kills, players });

impl Round {
    /// A round that begins, over so many points.
    pub fn new(points: usize) -> Self {
        Self {
            state: RoundState::Running,
            points: vec![Point::default(); points],
            spent: [0; 2],
            bleeding: [0; 2],
            kills: [0; 2],
            players: [0; 2],
        }
    }

    /// Tickets that a Conquest team has left.
    pub fn tickets_left(&self, team: Team, rules: &ObjectiveRules) -> u32 {
        let all = rules
            .tickets_per_player
            .saturating_mul(self.players[team.index()])
            .max(rules.tickets_min);
        all.saturating_sub(self.spent[team.index()])
    }

    /// Whether a place lies on a point that `team` owns.
    pub fn owned_point_at(&self, map: &Map, team: Team, pos: Vec3) -> bool {
        let mut points = map.points.iter().zip(&self.points);
        points.any(|(place, point)| {
            point.owner == Some(team) && is_inside(pos, place.pos, place.radius_m)
        })
    }

    fn end(&mut self, winner: Option<Team>, clock: &Clock, events: &mut EventLog) {
        self.state = RoundState::Ended { winner, at: clock.tick };
        events.0.push(Event::RoundEnded { winner });
    }
}

/// Points are upright cylinders: a roof above one is in it.
fn is_inside(pos: Vec3, center: Vec3, radius_m: f32) -> bool {
    let (dx, dz) = (pos.x - center.x, pos.z - center.z);
    dx * dx + dz * dz <= radius_m * radius_m
}

pub(crate) fn add_systems(timetable: &mut Timetable) {
    let running = |round: Res<Round>| round.state == RoundState::Running;
    timetable.add(Phase::Objective, count_players);
    timetable.add(
        Phase::Objective,
        (conquest::capture_points, conquest::count_tickets)
            .chain()
            .after(count_players)
            .run_if(in_mode(Mode::Conquest))
            .run_if(running),
    );
    timetable.add(
        Phase::Objective,
        deathmatch::count_kills
            .after(conquest::count_tickets)
            .run_if(in_mode(Mode::Deathmatch))
            .run_if(running),
    );
    timetable.add(
        Phase::Objective,
        (crate::squad::arrange_squads, crate::spawn::spawn_waves)
            .chain()
            .after(deathmatch::count_kills)
            .run_if(not(in_mode(Mode::Walk))),
    );
}

fn in_mode(mode: Mode) -> impl FnMut(Res<Rules>) -> bool + Clone {
    move |rules: Res<Rules>| rules.mode == mode
}

/// Tickets grow with the team.
fn count_players(roster: Res<Roster>, soldiers: Query<&Identity>, mut round: ResMut<Round>) {
    let known = round.players.iter().fold(0u32, |sum, &players| sum.saturating_add(players));
    // Players never vanish, so only new slots are looked at.
    for &entity in roster.entities().iter().skip(known as usize) {
        if let Ok(identity) = soldiers.get(entity) {
            let players = &mut round.players[identity.team.index()];
            *players = players.saturating_add(1);
        }
    }
}

/// After this tick no round goes on.
fn is_out_of_time(clock: &Clock, rules: &ObjectiveRules) -> bool {
    clock.tick >= Tick(clock.ticks(rules.round_s))
}

impl Saved for RoundState {
    fn save(&self, sink: &mut impl Sink) {
        match *self {
            Self::Running => sink.put(0, 1),
            Self::Ended { winner, at } => {
                sink.put(1, 1);
                winner.save(sink);
                at.save(sink);
            }
        }
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        match source.take(1)? {
            0 => Ok(Self::Running),
            1 => Ok(Self::Ended { winner: Saved::load(source)?, at: Saved::load(source)? }),
            _ => Err(Corrupt("no round state of that number")),
        }
    }
}
