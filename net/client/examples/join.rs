//! Joins a battle with nothing but the standard library's socket, runs in circles, and tells once a
//! second what the player sees.
//!
//! ```text
//! sortie battle --dev-tickets
//! sortie ticket --battle-id HEX --ticket-key HEX
//! cargo run --release -p sortie-client --example join -- ADDRESS FINGERPRINT TICKET [SECONDS]
//! ```
//!
//! [`drive`] is the whole loop of an application: wait for a datagram or the client's next
//! wake-up, hand in what came, play the ticks that are due, send what is to be sent.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sortie_bridge::predict::{Fields, Predictor};
use sortie_client::{ClientView, Event, GameClient, GameClientConfig, LocalInput, Predict, State};

/// Drives `client` until `until` or until its battle is over; `wish` says what the player wants in
/// each tick.
///
/// # Errors
/// The socket fails.
pub(crate) fn drive<P: Predict>(
    client: &mut GameClient<P>,
    socket: &UdpSocket,
    until: Instant,
    mut wish: impl FnMut(&ClientView) -> LocalInput,
) -> io::Result<()> {
    let (mut incoming, mut outgoing) = ([0; 2_048], Vec::new());
    loop {
        let now = Instant::now();
        if client.next_wake() <= now {
            client.handle_timeouts(now);
            if client.next_tick_at() <= now {
                let wish = wish(client.view());
                client.tick(now, &wish);
            }
        }
        while let Some(to) = client.poll_transmit(now, &mut outgoing) {
            // What the socket does not take is lost, as on any network.
            drop(socket.send_to(&outgoing, to));
        }
        while let Some(event) = client.poll_event() {
            if event == Event::Closed {
                return Ok(());
            }
        }
        let wait = client.next_wake().min(until).saturating_duration_since(Instant::now());
        if now >= until {
            return Ok(());
        }
        // Zero would mean to wait for ever.
        socket.set_read_timeout(Some(wait.max(Duration::from_micros(100))))?;
        match socket.recv_from(&mut incoming) {
            Ok((length, from)) => {
                client.handle_datagram(Instant::now(), from, &mut incoming[..length]);
            }
            // The time was over, or the server's port was closed for a moment.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Runs in circles.
pub(crate) fn circles(view: &ClientView) -> LocalInput {
    LocalInput { move_forward: 127, yaw: (view.tick * 200) as u16, ..LocalInput::default() }
}

#[allow(dead_code, reason = "a test includes this file")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, fingerprint, ticket, rest @ ..] = arguments.as_slice() else {
        return Err("usage: join ADDRESS FINGERPRINT TICKET [SECONDS]".into());
    };
    let server: SocketAddr = address.parse()?;
    let seconds: u64 = rest.first().map_or(Ok(10), |text| text.parse())?;
    let quic = sortie_quic::ClientConfig::new(server, fingerprint.parse()?);
    let config = GameClientConfig::new(quic, BASE64.decode(ticket.trim())?);
    let mut client = GameClient::new(config, Predictor::new(Fields::default()), Instant::now())?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    for second in 1..=seconds {
        drive(&mut client, &socket, Instant::now() + Duration::from_secs(1), circles)?;
        let view = client.view();
        println!(
            "{second:>3} s: tick {}, at {:.1?} m, {} in sight, tickets {:?}",
            view.snapshot_tick,
            view.own_shown_pos,
            view.others.iter().count(),
            view.round.tickets
        );
        if let State::Closed { reason, .. } = client.state() {
            println!("over: {reason}");
            return Ok(());
        }
    }
    client.leave(Instant::now());
    drive(&mut client, &socket, Instant::now() + Duration::from_millis(200), circles)?;
    Ok(())
}
