//! What is told reliably: the kill feed, how the round stands, the scoreboard, who plays.

use std::collections::BTreeMap;

use sortie_sim::{
    event::{Event, TickOutput},
    id::{PlayerSlot, Team},
    view::{PointRow, RoundState as SimRound, ScoreRow, SoldierRow, View},
};
use sortie_wire::{
    limits::NAME_BYTES_MAX,
    message::{
        FeedEntry, List, PlayerEntry, PointState, RoundState, ScoreEntry, ServerMessage, Text,
    },
};

/// Entries of one message of players or scores.
const BATCH: usize = 256;
/// Entries of one message of the kill feed.
const FEED_BATCH: usize = 64;

/// Names and connections: what the simulation does not know of players.
#[derive(Clone, Debug, Default)]
struct Person {
    name: Text<NAME_BYTES_MAX>,
    connected: bool,
}

/// Turns ticks into messages for everybody.
///
/// Call [`note_tick`](Self::note_tick) after each step; the messages wait in order until
/// [`take`](Self::take). A newcomer gets [`everything`](Self::everything) first.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    tick_hz: u32,
    people: BTreeMap<u16, Person>,
    /// What was last told, by slot.
    told_players: BTreeMap<u16, PlayerEntry>,
    told_scores: BTreeMap<u16, ScoreRow>,
    told_round: RoundState,
    messages: Vec<ServerMessage>,
}

impl Feed {
    /// A feed of a battle with so many ticks a second.
    pub fn new(tick_hz: u16) -> Self {
        Self { tick_hz: u32::from(tick_hz.max(1)), ..Self::default() }
    }

    /// A player is called this and has a connection, or has lost it.
    pub fn set_person(&mut self, slot: PlayerSlot, name: &str, connected: bool) {
        let person = Person { name: Text::truncated(name), connected };
        self.people.insert(slot.0, person);
    }

    /// Takes up a tick.
    pub fn note_tick(&mut self, output: &TickOutput, view: &View) {
        self.note_events(&output.events, output.tick.0);
        let second = output.tick.0.is_multiple_of(self.tick_hz);
        let owners = |points: &[PointState]| -> Vec<Option<u8>> {
            points.iter().map(|point| point.owner).collect()
        };
        let changed = || owners(&self.told_round.points) != owners(&point_states(&view.points));
        if second || (!view.points.is_empty() && changed()) {
            self.told_round = round_state(view);
            self.messages.push(ServerMessage::RoundState(self.told_round.clone()));
        }
        if second {
            self.tell_players(view);
            self.tell_scores(view);
        }
    }

    /// The messages since the last call.
    pub fn take(&mut self) -> Vec<ServerMessage> {
        std::mem::take(&mut self.messages)
    }

    /// All that a newcomer has to be told after its welcome.
    pub fn everything(&self, view: &View) -> Vec<ServerMessage> {
        let players: Vec<_> = view.soldiers.iter().map(|row| self.player_entry(row)).collect();
        let scores: Vec<_> = view.soldiers.iter().map(score_entry).collect();
        let mut messages = vec![ServerMessage::RoundState(round_state(view))];
        messages.extend(batches(&players, BATCH).map(ServerMessage::PlayerList));
        messages.extend(batches(&scores, BATCH).map(ServerMessage::ScoreBoard));
        messages
    }

    fn note_events(&mut self, events: &[Event], tick: u32) {
        let entries: Vec<FeedEntry> =
            events.iter().filter_map(|event| feed_entry(event, tick)).collect();
        self.messages.extend(batches(&entries, FEED_BATCH).map(ServerMessage::KillFeed));
        for event in events {
            match *event {
                Event::Left { player } => {
                    self.told_players.remove(&player.0);
                    self.messages.push(ServerMessage::PlayerLeft { slot: player.0 });
                }
                Event::RoundEnded { winner } => self.messages.push(ServerMessage::RoundEnded {
                    winner: winner.map(|team| team as u8),
                    tick,
                }),
                _ => {}
            }
        }
    }

    fn player_entry(&self, row: &SoldierRow) -> PlayerEntry {
        let person = self.people.get(&row.slot.0).cloned().unwrap_or_default();
        PlayerEntry {
            slot: row.slot.0,
            team: row.team as u8,
            squad: row.squad.map(|squad| squad.0),
            connected: person.connected,
            name: person.name,
        }
    }

    fn tell_players(&mut self, view: &View) {
        let mut changed = Vec::new();
        for row in &view.soldiers {
            let entry = self.player_entry(row);
            if self.told_players.get(&entry.slot) != Some(&entry) {
                self.told_players.insert(entry.slot, entry.clone());
                changed.push(entry);
            }
        }
        self.messages.extend(batches(&changed, BATCH).map(ServerMessage::PlayerList));
    }

    fn tell_scores(&mut self, view: &View) {
        let mut changed = Vec::new();
        for row in &view.soldiers {
            if self.told_scores.insert(row.slot.0, row.score) != Some(row.score) {
                changed.push(score_entry(row));
            }
        }
        self.messages.extend(batches(&changed, BATCH).map(ServerMessage::ScoreBoard));
    }
}

fn feed_entry(event: &Event, tick: u32) -> Option<FeedEntry> {
    Some(match *event {
        Event::Downed { victim, killer, weapon, headshot } => FeedEntry::Downed {
            tick,
            victim: victim.0,
            killer: killer.map(|killer| killer.0),
            weapon: weapon.map(|weapon| weapon.0),
            headshot,
        },
        Event::Died { victim } => FeedEntry::Died { tick, victim: victim.0 },
        Event::Revived { victim, medic } => {
            FeedEntry::Revived { tick, victim: victim.0, medic: medic.0 }
        }
        Event::PointOwner { point, owner } => {
            FeedEntry::PointOwner { tick, point: point.0, owner: owner.map(|team| team as u8) }
        }
        _ => return None,
    })
}

fn round_state(view: &View) -> RoundState {
    RoundState {
        tick: view.tick.0,
        tickets: view.tickets,
        points: List::new(point_states(&view.points)).unwrap_or_default(),
        time_left_s: match view.round {
            SimRound::Running => None,
            SimRound::Ended { .. } => Some(0),
        },
    }
}

fn point_states(points: &[PointRow]) -> Vec<PointState> {
    points
        .iter()
        .take(32)
        .map(|point| PointState {
            owner: point.owner.map(|team: Team| team as u8),
            progress: (point.progress * 100.0) as i8,
            inside: point.inside,
        })
        .collect()
}

fn score_entry(row: &SoldierRow) -> ScoreEntry {
    let ScoreRow { points, kills, deaths, assists, revives, captures, .. } = row.score;
    ScoreEntry { slot: row.slot.0, points, kills, deaths, assists, revives, captures }
}

/// Lists of at most `len` entries, in order.
fn batches<T: Clone, const MAX: usize>(
    entries: &[T],
    len: usize,
) -> impl Iterator<Item = List<T, MAX>> {
    entries.chunks(len.min(MAX)).filter_map(|chunk| List::new(chunk.to_vec()))
}
