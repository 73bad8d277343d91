//! What one player is told of a tick.

use sortie_field::{Pitch, angle::direction};
use sortie_session::{
    gain::{Viewer, Viewpoint},
    history::FrameHistory,
    server::SnapshotSource,
};
use sortie_sim::{
    id::{EntityId, PlayerSlot},
    view::{SoldierRow, Status, View},
};
use sortie_wire::{
    message::LoadStep,
    snapshot::{HitMarker, Sound},
    state::{SelfState, quantise_xz},
};

use crate::{noise::Noises, own::self_state};

/// Opponents count as such for so many ticks after the last hit.
const COMBAT_TICKS: u32 = 120;

/// One player's view of a tick, ready for its session. The buffers are reused from tick to tick.
#[derive(Clone, Debug, Default)]
pub struct Lens {
    own: SelfState,
    face: usize,
    from: Viewpoint,
    visible: Vec<u32>,
    squad: Vec<u32>,
    combat: Vec<u32>,
    /// Opponents and when they were last in a hit, in id order.
    opponents: Vec<(u32, u32)>,
    sounds: Vec<Sound>,
    hits: Vec<HitMarker>,
}

impl Lens {
    /// Looks at the tick through the eyes of `slot`. `seen` is what the simulation's interest
    /// says that it may see, in id order. Far mates, who are not in it, are shown for a tick once
    /// a second, for the map.
    pub fn look(
        &mut self,
        view: &View,
        slot: PlayerSlot,
        seen: &[EntityId],
        noises: &Noises,
        tick_hz: u16,
    ) {
        let Some(row) = view.soldiers.get(usize::from(slot.0)) else { return };
        self.own = self_state(row);
        self.face = row.team.index();
        self.from = viewpoint(row);
        self.gather_visible(view, row, seen, u32::from(tick_hz));
        self.squad.clear();
        if row.squad.is_some() {
            let mates = view.soldiers.iter().filter(|mate| {
                mate.team == row.team && mate.squad == row.squad && mate.slot != slot
            });
            self.squad.extend(mates.map(|mate| u32::from(mate.slot.0)));
        }
        self.note_opponents(noises, slot, view.tick.0);
        noises.sounds_for(row, view, &mut self.sounds);
        noises.hits_by(slot, &mut self.hits);
    }

    fn gather_visible(&mut self, view: &View, row: &SoldierRow, seen: &[EntityId], tick_hz: u32) {
        self.visible.clear();
        let tick = view.tick.0;
        let phase = tick_hz - 1 - tick % tick_hz;
        let mut due = view
            .soldiers
            .iter()
            .skip(phase as usize)
            .step_by(tick_hz as usize)
            .filter(|mate| {
                let in_field = matches!(mate.status, Status::Alive | Status::Down);
                in_field && mate.team == row.team && mate.slot != row.slot
            })
            .map(|mate| u32::from(mate.slot.0))
            .peekable();
        for &EntityId(id) in seen {
            while let Some(mate) = due.next_if(|&mate| mate < id) {
                self.visible.push(mate);
            }
            due.next_if_eq(&id);
            self.visible.push(id);
        }
        self.visible.extend(due);
    }

    fn note_opponents(&mut self, noises: &Noises, slot: PlayerSlot, tick: u32) {
        for opponent in noises.opponents_of(slot) {
            let id = u32::from(opponent.0);
            match self.opponents.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(at) => self.opponents[at].1 = tick,
                Err(at) => self.opponents.insert(at, (id, tick)),
            }
        }
        self.opponents.retain(|(_, at)| tick.saturating_sub(*at) < COMBAT_TICKS);
        self.combat.clear();
        self.combat.extend(self.opponents.iter().map(|(id, _)| *id));
    }

    /// What the player's session encodes.
    pub fn source<'a>(&'a self, history: &'a FrameHistory, load: LoadStep) -> SnapshotSource<'a> {
        SnapshotSource {
            history,
            visible: &self.visible,
            viewer: Viewer {
                face: self.face,
                from: self.from,
                combat: &self.combat,
                squad: &self.squad,
            },
            own: &self.own,
            sounds: &self.sounds,
            hits: &self.hits,
            load,
        }
    }

    /// Who and what the player is told of, in id order.
    pub fn visible(&self) -> &[u32] {
        &self.visible
    }

    /// The own soldier as told.
    pub fn own(&self) -> &SelfState {
        &self.own
    }
}

fn viewpoint(row: &SoldierRow) -> Viewpoint {
    let towards = direction(row.yaw, Pitch(0));
    Viewpoint {
        x: quantise_xz(row.body.pos.x),
        z: quantise_xz(row.body.pos.z),
        east: towards.x,
        south: towards.z,
    }
}
