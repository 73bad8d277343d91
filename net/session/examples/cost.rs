//! What encoding costs: ns per (client, visible entity) and bits per update.
//!
//! `cargo run --release -p sortie-session --example cost [SOLDIERS CLIENTS VISIBLE]`. Everybody
//! walks and turns in every tick, every client acknowledges after six ticks: nothing is unchanged,
//! nothing is free.

use std::time::{Duration, Instant};

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
const TICKS: u32 = 400;
const WARM_UP: u32 = 100;

fn main() {
    let numbers: Vec<u32> =
        std::env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    println!("soldiers clients visible |  ns/pair  bits/update  bytes/snapshot  postponed");
    if let [soldiers, clients, visible] = numbers[..] {
        return measure(soldiers, clients, visible);
    }
    for (soldiers, clients, visible) in
        [(500, 500, 64), (1_000, 200, 64), (4_000, 200, 50), (1_158, 200, 1_157)]
    {
        measure(soldiers, clients, visible);
    }
}

fn measure(soldiers: u32, clients: u32, visible: u32) {
    let mut history = FrameHistory::new();
    let config = SessionConfig { bytes_per_s: 120_000, ..SessionConfig::default() };
    let mut sessions: Vec<_> = (0..clients).map(|_| ServerSession::new(config, 0)).collect();
    // Each client sees a window of slots around its own.
    let windows: Vec<Vec<u64>> = (0..clients)
        .map(|client| {
            let own = client * (soldiers / clients);
            let first = own.saturating_sub(visible / 2).min(soldiers - visible - 1);
            let mut set = vec![0; soldiers.div_ceil(64) as usize];
            for slot in (first..=first + visible).filter(|slot| *slot != own) {
                set[slot as usize / 64] |= 1 << (slot % 64);
            }
            set
        })
        .collect();
    let mut codes = DeltaCache::default();
    let (mut pairs, mut spent) = (0u64, Duration::ZERO);
    let before = |sessions: &[ServerSession]| {
        let counters = sessions.iter().map(|session| session.counters());
        counters.fold((0, 0, 0, 0), |sum, one| {
            (
                sum.0 + one.updates,
                sum.1 + one.snapshot_bytes,
                sum.2 + one.snapshots,
                sum.3 + one.postponed,
            )
        })
    };
    let mut start = (0, 0, 0, 0);
    for tick in 1..=TICKS {
        write_frame(&mut history, tick, soldiers);
        if tick == WARM_UP {
            start = before(&sessions);
        }
        let began = Instant::now();
        for (session, visible) in sessions.iter_mut().zip(&windows) {
            let source = source(&history, visible);
            let mut out = [0; DATAGRAM_BYTES_MAX];
            let bytes = session.encode_snapshot(&source, &mut codes, &mut out);
            assert!(bytes > 0);
        }
        if tick > WARM_UP {
            spent += began.elapsed();
            pairs += u64::from(visible * clients);
        }
        for session in &mut sessions {
            acknowledge(session, tick);
        }
    }
    let end = before(&sessions);
    let (updates, bytes, snapshots, postponed) =
        (end.0 - start.0, end.1 - start.1, end.2 - start.2, end.3 - start.3);
    println!(
        "{soldiers:>8} {clients:>7} {visible:>7} | {:>8.1} {:>12.1} {:>15.0} {:>9.1} %",
        spent.as_nanos() as f64 / pairs as f64,
        (bytes - 66 * snapshots) as f64 * 8.0 / updates as f64,
        bytes as f64 / snapshots as f64,
        postponed as f64 * 100.0 / (postponed + updates) as f64,
    );
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
