//! The battle as one player may know it.

use std::collections::BTreeMap;

use sortie_wire::{
    message::{LoadStep, PlayerEntry, RoundState, ScoreEntry, ServerMessage},
    state::SelfState,
};

use crate::remotes::{Pose, Remote, Remotes};

/// What to draw, or for a bot: what to think about. Valid after the first welcome.
#[derive(Clone, Debug, Default)]
pub struct ClientView {
    /// The own slot; the own soldier's entity id.
    pub slot: u16,
    /// The own team, 0 or 1.
    pub team: u8,
    /// Ticks a second.
    pub tick_hz: u16,
    /// The own tick: the one last played, ahead of the server.
    pub tick: u32,
    /// The tick at which others are shown, with its fraction, behind the server.
    pub view_tick: f32,
    /// Tick of the newest snapshot.
    pub snapshot_tick: u32,
    /// The own soldier as predicted for [`tick`](Self::tick).
    pub own: SelfState,
    /// Where to draw the own soldier, metres: the prediction without its corrections' jumps.
    pub own_shown_pos: [f32; 3],
    /// Everyone and everything else that this player knows of.
    pub others: Remotes,
    /// Where far mates were when last told, about once a second, for the map; by slot.
    pub mates: BTreeMap<u16, DistantMate>,
    /// How the round stood when last told.
    pub round: RoundState,
    /// Everyone in the battle, by slot.
    pub players: BTreeMap<u16, PlayerEntry>,
    /// The scoreboard, by slot.
    pub scores: BTreeMap<u16, ScoreEntry>,
    /// How far the server thins out what it sends.
    pub load: LoadStep,
    /// The map's document of the last welcome.
    pub map: String,
    /// The rules' document of the last welcome.
    pub rules: String,
}

/// A mate who is neither near nor in sight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DistantMate {
    /// When it was told.
    pub tick: u32,
    /// The feet, metres: east, up, south.
    pub pos: [f32; 3],
}

impl ClientView {
    /// Keeps the last place of mates who went out of the set; forgets it when they are back in it,
    /// or after three seconds without news: dead, or gone.
    pub(crate) fn remember_mates(&mut self) {
        let team = self.team;
        let mates = |remote: &&Remote| remote.newest().is_soldier() && remote.newest().team == team;
        for gone in self.others.gone().iter().filter(mates) {
            let mate = DistantMate { tick: gone.newest_tick(), pos: gone.newest().position_m() };
            self.mates.insert(gone.id() as u16, mate);
        }
        let oldest = self.snapshot_tick.saturating_sub(3 * u32::from(self.tick_hz));
        let others = &self.others;
        self.mates
            .retain(|slot, mate| mate.tick >= oldest && others.get(u32::from(*slot)).is_none());
    }

    /// Where an entity is shown now.
    pub fn pose(&self, other: &Remote) -> Pose {
        other.pose_at(self.view_tick, f32::from(self.tick_hz))
    }

    pub(crate) fn apply(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::RoundState(round) => self.round = round.clone(),
            ServerMessage::PlayerList(players) => {
                self.players.extend(players.iter().map(|player| (player.slot, player.clone())));
            }
            ServerMessage::ScoreBoard(scores) => {
                self.scores.extend(scores.iter().map(|score| (score.slot, *score)));
            }
            ServerMessage::PlayerLeft { slot } => {
                self.players.remove(slot);
                self.scores.remove(slot);
            }
            ServerMessage::LoadStep(load) => self.load = *load,
            _ => {}
        }
    }
}
