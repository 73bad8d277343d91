//! A2: on a LAN at 60 Hz a shot looks back 9 ticks at most, whatever the client claims.
//! Goes to net/session/tests.

use sortie_session::server::{ServerSession, SessionConfig};
use sortie_wire::input::{InputCommand, InputDatagram};
use sortie_wire::limits::INPUT_BYTES_MAX;

#[test]
fn on_a_lan_a_shot_looks_back_nine_ticks_at_most() {
    // No path was measured: a round trip of 0.
    let mut session = ServerSession::new(SessionConfig::default(), 999);
    let input = InputCommand { tick: 1_000, view_tick: 900, ..InputCommand::default() };
    let datagram = InputDatagram::new(0, 0, &[input]).unwrap();
    session.handle_input_datagram(datagram.encode(&mut [0; INPUT_BYTES_MAX]), 999);
    let back = 1_000 - session.take_input(1_000).command.view_tick;
    assert!(back <= 9, "A2: a shot may look {back} ticks back");
}
