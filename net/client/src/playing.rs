//! What a client does while it is in the battle: inputs out, snapshots in, prediction between.

use std::time::{Duration, Instant};

use sortie_session::{
    client::{ClientSession, SnapshotVerdict},
    predict::{Neighbour, Predict},
};
use sortie_wire::{input::InputCommand, limits::INPUT_BYTES_MAX, message::Welcome};

use crate::{
    config::LocalInput, event::Event, prediction::Prediction, render_clock::RenderClock,
    view::ClientView,
};

/// Soldiers nearer than this may push the own one, metres.
const NEIGHBOUR_M: f32 = 3.0;

/// One stay between a welcome and the loss of its connection.
pub(crate) struct Playing {
    pub(crate) session: ClientSession,
    render: RenderClock,
    neighbours: Vec<Neighbour>,
    datagram: [u8; INPUT_BYTES_MAX],
}

impl Playing {
    pub(crate) fn new(now: Instant, welcome: &Welcome, rtt: Duration) -> Self {
        Self {
            session: ClientSession::new(now, welcome.tick_hz, welcome.tick, rtt),
            render: RenderClock::default(),
            neighbours: Vec::new(),
            datagram: [0; INPUT_BYTES_MAX],
        }
    }

    /// Plays the due tick; gives the datagram that tells the server.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        wish: &LocalInput,
        predictor: &mut impl Predict,
        prediction: &mut Prediction,
        view: &mut ClientView,
    ) -> &[u8] {
        let tick = self.session.advance(now);
        view.tick = tick;
        view.view_tick = self.render.advance(tick);
        let input = InputCommand {
            tick,
            move_right: wish.move_right,
            move_forward: wish.move_forward,
            yaw: wish.yaw,
            pitch: wish.pitch,
            buttons: wish.buttons & sortie_wire::input::buttons::ALL,
            weapon_slot: wish.weapon_slot.min(3),
            view_tick: view.view_tick as u32,
        };
        let datagram = self.session.push_input(input, &mut self.datagram);
        gather_neighbours(view, &mut self.neighbours);
        prediction.advance(predictor, &input, &self.neighbours);
        show_own(prediction, view);
        datagram
    }

    /// The newest input once more, with the acks of now.
    pub(crate) fn repeat(&mut self) -> &[u8] {
        self.session.repeat_input(&mut self.datagram)
    }

    /// Reads a snapshot and works it into prediction and view.
    pub(crate) fn handle_snapshot(
        &mut self,
        now: Instant,
        datagram: &[u8],
        predictor: &mut impl Predict,
        prediction: &mut Prediction,
        view: &mut ClientView,
        events: &mut impl Extend<Event>,
    ) {
        if self.session.handle_snapshot(now, datagram) != SnapshotVerdict::Newest {
            return;
        }
        let Some(received) = self.session.newest() else { return };
        let snapshot = &received.snapshot;
        let tick = snapshot.header.tick;
        self.render.note_snapshot(tick, view.tick);
        view.snapshot_tick = tick;
        view.others.apply(&snapshot.entities, &received.since);
        view.remember_mates();
        events.extend(snapshot.sounds.iter().map(|sound| Event::Sound(*sound)));
        events.extend(snapshot.hits.iter().map(|hit| Event::Hit(*hit)));
        gather_neighbours(view, &mut self.neighbours);
        let ticks = (tick, snapshot.header.input_tick);
        prediction.reconcile(predictor, &self.session, ticks, &snapshot.own, &self.neighbours);
        show_own(prediction, view);
    }
}

fn show_own(prediction: &Prediction, view: &mut ClientView) {
    if let (Some(own), Some(pos)) = (prediction.own(), prediction.shown_pos()) {
        view.own = *own;
        view.own_shown_pos = pos;
    }
}

fn gather_neighbours(view: &ClientView, neighbours: &mut Vec<Neighbour>) {
    neighbours.clear();
    for other in view.others.iter().filter(|other| other.newest().is_soldier()) {
        let pos = view.pose(other).pos;
        let (east, south) = (pos[0] - view.own.pos[0], pos[2] - view.own.pos[2]);
        if east * east + south * south < NEIGHBOUR_M * NEIGHBOUR_M {
            neighbours.push(Neighbour { id: other.id(), pos });
        }
    }
}
