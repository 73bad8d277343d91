//! A battle over the standard library's sockets: the loop that the example shows to applications.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{io, thread};

use sortie_bridge::predict::{Fields, Predictor};
use sortie_client::{GameClient, GameClientConfig, LanePolicy, State};
use sortie_sim::config::SimConfig;

use crate::common::{HZ, host::Host};

#[path = "../../examples/join.rs"]
mod join;

crate::on_both_lanes!(a_client_plays_over_a_socket_of_the_standard_library);

/// How long a machine that is busy may take until the soldier has moved.
const PATIENCE: Duration = Duration::from_secs(20);

fn a_client_plays_over_a_socket_of_the_standard_library(lane: LanePolicy) {
    let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (server_socket, client_socket) = (socket(), socket());
    let server = server_socket.local_addr().unwrap();
    let mut host = Host::new(SimConfig::default(), 200.0, 7, Instant::now());
    let quic = sortie_quic::ClientConfig::new(server, host.fingerprint);
    let config =
        GameClientConfig { lane, ..GameClientConfig::new(quic, 42_u128.to_le_bytes().to_vec()) };
    let predictor = Predictor::new(Fields::default());
    let mut client = GameClient::new(config, predictor, Instant::now()).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| serve(&mut host, &server_socket, &is_over).unwrap());
        let (deadline, mut began) = (Instant::now() + PATIENCE, None);
        while Instant::now() < deadline {
            let soon = Instant::now() + Duration::from_millis(100);
            join::drive(&mut client, &client_socket, soon, join::circles).unwrap();
            let at = client.view().own.pos;
            let from = *began.get_or_insert(at);
            let moved_m = f32::hypot(at[0] - from[0], at[2] - from[2]);
            let stats = client.stats();
            let lane_is_right = stats.lane.is_sealed == (lane == LanePolicy::Auto);
            if client.state() == State::Playing && moved_m > 2.0 && lane_is_right {
                break;
            }
            if client.state() != State::Playing {
                began = None;
            }
        }
        is_over.store(true, Relaxed);
    });
    let stats = client.stats();
    assert_eq!(client.state(), State::Playing);
    assert_eq!(stats.lane.is_sealed, lane == LanePolicy::Auto, "{:?}", stats.lane);
    assert!(client.without_control(Instant::now()) < PATIENCE);
    assert!(host.players[0].alive_ticks > 0);
    let told = host.battle.view().soldiers[0].body.pos;
    let shown = client.view().own_shown_pos;
    let apart_m = f32::hypot(told[0] - shown[0], told[2] - shown[2]);
    assert!(apart_m < 4.0, "the server says {told:?}, the client shows {shown:?}");
}

/// The server's side, as plain: a tick at a time, and in between what comes in.
fn serve(host: &mut Host, socket: &UdpSocket, is_over: &AtomicBool) -> io::Result<()> {
    let (mut incoming, mut outgoing) = ([0; 2_048], Vec::new());
    let tick = Duration::from_secs(1) / HZ;
    let mut next_tick_at = Instant::now() + tick;
    while !is_over.load(Relaxed) {
        let left = next_tick_at.saturating_duration_since(Instant::now());
        socket.set_read_timeout(Some(left.max(Duration::from_micros(100))))?;
        if let Ok((length, from)) = socket.recv_from(&mut incoming) {
            host.handle_datagram(Instant::now(), from, &mut incoming[..length]);
        }
        let now = Instant::now();
        if now >= next_tick_at {
            next_tick_at = (next_tick_at + tick).max(now - tick);
            host.tick(now);
        }
        while let Some(to) = host.poll_transmit(now, &mut outgoing) {
            drop(socket.send_to(&outgoing, to));
        }
    }
    Ok(())
}
