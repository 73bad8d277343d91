//! What one player is told of a tick.

use sortie_field::{Pitch, angle::direction};
use sortie_session::{
    history::FrameHistory,
    priority::{Viewer, Viewpoint},
    server::SnapshotSource,
    slots::Visible,
};
use sortie_sim::{
    id::{PlayerSlot, SquadId},
    interest::VisibleSet,
    view::{SoldierRow, View},
};
use sortie_wire::{
    message::LoadStep,
    snapshot::{HitMarker, Sound},
    state::{SelfState, quantise_xz},
};

use crate::{noise::Noises, own::self_state};

/// Opponents count as such for so long after the last hit, seconds.
const COMBAT_S: u32 = 2;
/// Who is in the squad is looked up every so many ticks.
const SQUAD_TICKS: u32 = 32;

/// One player's view of a tick, ready for its session. The buffers are reused from tick to tick.
#[derive(Clone, Debug)]
pub struct Lens {
    /// Opponents count as such for so many ticks after the last hit.
    combat_ticks: u32,
    own: SelfState,
    team_view: usize,
    from: Viewpoint,
    /// Visible props, ids rising.
    props: Vec<u32>,
    squad: Vec<u32>,
    /// The squad whose members `squad` lists.
    squad_of: Option<SquadId>,
    combat: Vec<u32>,
    /// Opponents and when they were last in a hit, in id order.
    opponents: Vec<(u32, u32)>,
    sounds: Vec<Sound>,
    hits: Vec<HitMarker>,
}

impl Lens {
    /// The view of somebody who was told of nothing yet, in a battle of so many ticks a second.
    pub fn new(tick_hz: u16) -> Self {
        Self {
            combat_ticks: COMBAT_S * u32::from(tick_hz),
            own: SelfState::default(),
            team_view: 0,
            from: Viewpoint::default(),
            props: Vec::new(),
            squad: Vec::new(),
            squad_of: None,
            combat: Vec::new(),
            opponents: Vec::new(),
            sounds: Vec::new(),
            hits: Vec::new(),
        }
    }

    /// Looks at the tick through the eyes of `slot`. `seen` is what the simulation's interest
    /// says that it may see.
    pub fn look(&mut self, view: &View, slot: PlayerSlot, seen: VisibleSet<'_>, noises: &Noises) {
        let Some(row) = view.soldiers.get(usize::from(slot.0)) else { return };
        self.own = self_state(row);
        self.team_view = row.team.index();
        self.from = viewpoint(row);
        self.props.clear();
        self.props.extend(seen.props.iter().map(|id| id.0));
        // Mates only weigh a little more than others: who joins the squad may wait for that.
        let is_due = (view.tick.0 + u32::from(slot.0)).is_multiple_of(SQUAD_TICKS);
        if is_due || row.squad != self.squad_of {
            self.squad_of = row.squad;
            self.squad.clear();
            let mates = view.soldiers.iter().filter(|mate| {
                row.squad.is_some()
                    && mate.team == row.team
                    && mate.squad == row.squad
                    && mate.slot != slot
            });
            self.squad.extend(mates.map(|mate| u32::from(mate.slot.0)));
        }
        self.note_opponents(noises, slot, view.tick.0);
        noises.sounds_for(row, view, &mut self.sounds);
        noises.hits_by(slot, &mut self.hits);
    }

    fn note_opponents(&mut self, noises: &Noises, slot: PlayerSlot, tick: u32) {
        for opponent in noises.opponents_of(slot) {
            let id = u32::from(opponent.0);
            match self.opponents.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(at) => self.opponents[at].1 = tick,
                Err(at) => self.opponents.insert(at, (id, tick)),
            }
        }
        self.opponents.retain(|(_, at)| tick.saturating_sub(*at) < self.combat_ticks);
        self.combat.clear();
        self.combat.extend(self.opponents.iter().map(|(id, _)| *id));
    }

    /// What the player's session encodes; `seen` is what [`look`](Self::look) was given.
    pub fn source<'a>(
        &'a self,
        seen: VisibleSet<'a>,
        history: &'a FrameHistory,
        load: LoadStep,
    ) -> SnapshotSource<'a> {
        SnapshotSource {
            history,
            visible: Visible { soldiers: seen.soldiers, props: &self.props },
            viewer: Viewer {
                team_view: self.team_view,
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
