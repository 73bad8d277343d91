//! The round: the state that all modes share, and who is ahead in it.

use bevy_ecs::prelude::*;
use sortie_field::Vec3;
use sortie_field::map::Map;

use crate::codec::{Corrupt, Saved, Sink, Source, saved};
use crate::config::{Mode, ObjectiveRules, SimConfig};
use crate::event::Event;
use crate::id::{Team, Tick};
use crate::transient::EventLog;
use crate::view::RoundState;
use crate::world::Clock;

/// How the round stands.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Round {
    /// Running, or how it ended.
    pub state: RoundState,
    /// The tick in which it began; 0: with the battle.
    pub began: Tick,
    /// Rounds of the battle before it.
    pub before: u32,
    /// Rounds that each team has won, this one included once it is over.
    pub won: [u32; 2],
    /// Capture points, in the map's order.
    pub points: Vec<PointControl>,
    /// Tickets lost (Conquest) per team.
    pub spent: [u32; 2],
    /// Conquest: point-ticks of the other team's majority not yet turned into tickets.
    pub bleeding: [u32; 2],
    /// Deathmatch: score per team.
    pub kills: [u32; 2],
    /// Most players that a team had at a time in this round: whoever leaves and comes again, and
    /// whoever takes a leaver's place, does not count twice.
    pub players: [u32; 2],
}

/// How a capture point stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PointControl {
    /// Who owns it.
    pub owner: Option<Team>,
    /// -1 (Red's) to 1 (Blue's).
    pub progress: f32,
    /// Soldiers alive inside, per team.
    pub inside: [u16; 2],
}

saved!(PointControl { owner, progress, inside });
saved!(Round { state, began, before, won, points, spent, bleeding, kills, players });

impl Round {
    /// A round that begins, over so many points.
    pub fn new(points: usize) -> Self {
        Self {
            state: RoundState::Running,
            began: Tick(0),
            before: 0,
            won: [0; 2],
            points: vec![PointControl::default(); points],
            spent: [0; 2],
            bleeding: [0; 2],
            kills: [0; 2],
            players: [0; 2],
        }
    }

    /// The next round, with `before` ones behind it.
    pub(super) fn begin(&mut self, before: u32, tick: Tick) {
        (self.state, self.began, self.before) = (RoundState::Running, tick, before);
        self.points.fill(PointControl::default());
        (self.spent, self.bleeding, self.kills, self.players) = Default::default();
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

    /// Who has won the battle so far: who has won more rounds. `None`: nobody, or one is being
    /// fought.
    pub fn winner(&self) -> Option<Team> {
        if self.state == RoundState::Running { None } else { ahead(self.won) }
    }

    /// Who is ahead in the present round: by tickets left and then by points held (Conquest), by
    /// kills (Deathmatch). `None`: nobody, which is a draw when the time is up.
    pub fn leader(&self, rules: &SimConfig) -> Option<Team> {
        match rules.mode {
            Mode::Conquest => {
                let tickets = Team::ALL.map(|team| self.tickets_left(team, &rules.objective));
                ahead(tickets).or_else(|| ahead(Team::ALL.map(|team| self.points_of(team))))
            }
            Mode::Deathmatch => ahead(self.kills),
            Mode::Walk => None,
        }
    }

    /// Whether anybody can be hurt: not on a walk, not after the round.
    pub(crate) fn is_fought(&self, rules: &SimConfig) -> bool {
        rules.mode != Mode::Walk && self.state == RoundState::Running
    }

    /// What clients see of the present round, by team: [`Mode::score_name`] says what it is.
    pub(crate) fn score(&self, rules: &SimConfig) -> [u32; 2] {
        match rules.mode {
            Mode::Deathmatch => self.kills,
            Mode::Conquest | Mode::Walk => {
                Team::ALL.map(|team| self.tickets_left(team, &rules.objective))
            }
        }
    }

    /// Points that a team owns.
    fn points_of(&self, team: Team) -> u32 {
        self.points.iter().filter(|point| point.owner == Some(team)).count() as u32
    }

    /// The round is over; the score says who won.
    pub(super) fn end(&mut self, rules: &SimConfig, clock: &Clock, events: &mut EventLog) {
        let winner = self.leader(rules);
        if let Some(team) = winner {
            let won = &mut self.won[team.index()];
            *won = won.saturating_add(1);
        }
        self.state = RoundState::Ended { winner, at: clock.tick };
        events.0.push(Event::RoundEnded { winner });
    }

    /// Whether the time of the round, or of the battle, is up.
    pub(super) fn is_out_of_time(&self, clock: &Clock, rules: &ObjectiveRules) -> bool {
        let fought = clock.tick.0.saturating_sub(self.began.0);
        fought >= clock.ticks(rules.round_s)
            || battle_end(clock, rules).is_some_and(|end| clock.tick >= end)
    }
}

/// The last tick of a battle whose time is limited.
pub(crate) fn battle_end(clock: &Clock, rules: &ObjectiveRules) -> Option<Tick> {
    (rules.battle_s > 0.0).then(|| Tick(clock.ticks(rules.battle_s)))
}

/// The team with more, if one has.
fn ahead([red, blue]: [u32; 2]) -> Option<Team> {
    match red.cmp(&blue) {
        std::cmp::Ordering::Greater => Some(Team::Red),
        std::cmp::Ordering::Less => Some(Team::Blue),
        std::cmp::Ordering::Equal => None,
    }
}

/// Points are upright cylinders: a roof above one is in it.
pub(super) fn is_inside(pos: Vec3, center: Vec3, radius_m: f32) -> bool {
    let (dx, dz) = (pos.x - center.x, pos.z - center.z);
    dx * dx + dz * dz <= radius_m * radius_m
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
