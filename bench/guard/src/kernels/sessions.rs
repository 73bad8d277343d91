//! Snapshots of a battle for its clients: what a server does for every pair of them.
//!
//! Everybody walks and turns in every tick, every client acknowledges after six ticks: nothing is
//! unchanged, nothing is free.

use sortie_session::{
    delta_cache::DeltaCache,
    history::FrameHistory,
    priority::{Viewer, Viewpoint},
    server::{ServerSession, SessionConfig, SnapshotSource},
    slots::Visible,
};
use sortie_wire::{
    input::{InputCommand, InputDatagram},
    limits::{DATAGRAM_BYTES_MAX, INPUT_BYTES_MAX},
    message::LoadStep,
    state::{EntityState, SelfState, flags, quantise_yaw},
};

const ACK_TICKS: u32 = 6;

/// Ticks until what is told of whom has settled.
const WARM_UP: u32 = 40;

/// Ticks of a run: enough for everybody's turn to come where snapshots are full.
const TICKS: u32 = 4;

/// Clients between two ticks.
pub struct Sessions {
    history: FrameHistory,
    sessions: Vec<ServerSession>,
    windows: Vec<Vec<u64>>,
    cache: DeltaCache,
    soldiers: u32,
    tick: u32,
}

impl Sessions {
    /// `clients` among `soldiers`, each of whom sees `visible` others, fewer than there are.
    pub fn new(soldiers: u32, clients: u32, visible: u32) -> Self {
        let config = SessionConfig { bytes_per_s: 120_000, ..SessionConfig::default() };
        // Each client sees a window of slots around its own.
        let window = |client: u32| {
            let own = client * (soldiers / clients);
            let first = own.saturating_sub(visible / 2).min(soldiers - visible - 1);
            let mut set = vec![0; soldiers.div_ceil(64) as usize];
            for slot in (first..=first + visible).filter(|slot| *slot != own) {
                set[slot as usize / 64] |= 1 << (slot % 64);
            }
            set
        };
        let mut sessions = Self {
            history: FrameHistory::new(),
            sessions: (0..clients).map(|_| ServerSession::new(config, 0)).collect(),
            windows: (0..clients).map(window).collect(),
            cache: DeltaCache::default(),
            soldiers,
            tick: 0,
        };
        for _ in 0..WARM_UP {
            sessions.tick();
        }
        sessions
    }

    /// A few ticks; gives the bytes of the snapshots.
    pub fn tell(&mut self) -> usize {
        (0..TICKS).map(|_| self.tick()).sum()
    }

    /// States told so far.
    pub fn updates(&self) -> u64 {
        self.sessions.iter().map(|session| session.counters().updates).sum()
    }

    fn tick(&mut self) -> usize {
        self.tick += 1;
        write_frame(&mut self.history, self.tick, self.soldiers);
        let mut bytes = 0;
        for (session, visible) in self.sessions.iter_mut().zip(&self.windows) {
            let source = source(&self.history, visible);
            let mut out = [0; DATAGRAM_BYTES_MAX];
            bytes += session.encode_snapshot(&source, &mut self.cache, &mut out);
        }
        for session in &mut self.sessions {
            acknowledge(session, self.tick);
        }
        bytes
    }
}

/// Everybody walks at 5 m/s on a circle of its own.
fn write_frame(history: &mut FrameHistory, tick: u32, soldiers: u32) {
    let mut frame = history.begin(tick);
    for slot in 0..soldiers {
        let turn = tick * (64 + slot % 5 * 64) + slot * 1_000;
        let (sin, cos) = (turn as f32 / 65_536.0 * std::f32::consts::TAU).sin_cos();
        let radius_m = 5.0 / 60.0 * 65_536.0 / (64 + slot % 5 * 64) as f32 / std::f32::consts::TAU;
        let mut state = EntityState {
            team: (slot % 2) as u8,
            yaw: quantise_yaw(turn as u16),
            flags: flags::GROUNDED,
            ..EntityState::default()
        };
        let (column, row) = ((slot % 64) as f32, (slot / 64) as f32);
        state.set_position_m([
            50.0 + column * 8.0 + radius_m * cos,
            0.0,
            50.0 + row * 8.0 + radius_m * sin,
        ]);
        frame.soldier(Some([state; 2]));
    }
    frame.finish();
}

fn source<'a>(history: &'a FrameHistory, soldiers: &'a [u64]) -> SnapshotSource<'a> {
    const OWN: SelfState = SelfState {
        status: 1,
        class: 0,
        pos: [100.5, 1.5, 99.25],
        vel: [5.0, 0.0, 0.5],
        fall_from_y: 1.5,
        crouched: false,
        grounded: true,
        jump_held: false,
        aiming: false,
        reloading: false,
        health_hp: 100,
        weapon: 1,
        weapon_slot: 0,
        ammo: 30,
        reserve: 90,
        grenades: 2,
        squad: None,
        order: None,
        spawns_at: None,
    };
    SnapshotSource {
        history,
        visible: Visible { soldiers, props: &[] },
        viewer: Viewer {
            from: Viewpoint { x: 10_000, z: 10_000, east: 1.0, south: 0.0 },
            ..Viewer::default()
        },
        own: &OWN,
        sounds: &[],
        hits: &[],
        load: LoadStep::Normal,
    }
}

fn acknowledge(session: &mut ServerSession, tick: u32) {
    let ack_tick = tick.saturating_sub(ACK_TICKS);
    let input = InputCommand { tick: tick + 2, view_tick: tick, ..InputCommand::default() };
    let Some(datagram) = InputDatagram::new(ack_tick, u32::MAX, &[input]) else { return };
    let mut out = [0; INPUT_BYTES_MAX];
    session.handle_input_datagram(datagram.encode(&mut out), tick);
    session.take_input(tick);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_told_of_those_around() {
        let mut sessions = Sessions::new(500, 10, 64);
        let before = sessions.updates();
        assert!(sessions.tell() > 10 * TICKS as usize * 100);
        assert!(sessions.updates() - before > u64::from(10 * TICKS * 32));
    }
}
