//! What hostile connections can make the server hold. Each test runs in a process of its own: it
//! reads the memory of all of it.

use std::process::Command;
use std::time::Duration;

use crate::fixture::{Fixture, lossy};
use crate::raw::RawClient;

/// Set in the processes that are started for one test.
const ALONE: &str = "SORTIE_TEST_ALONE";

/// Runs `body`, which is the test of this name, in a process where nothing else runs.
fn alone(name: &str, body: fn()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let this = std::env::current_exe().unwrap();
    let name = format!("memory::{name}");
    let arguments = ["--exact", &name, "--nocapture", "--test-threads=1"];
    let run = Command::new(this).args(arguments).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    print!("{told}");
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && told.contains("1 passed"), "{errors}");
}

/// Resident memory of this process, in bytes.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

#[test]
fn a_connection_that_takes_all_it_can_holds_about_a_megabyte_at_most() {
    alone("a_connection_that_takes_all_it_can_holds_about_a_megabyte_at_most", take_all);
}

fn take_all() {
    const HOSTILE: usize = 50;
    let mut fixture = Fixture::new();
    // They never read, so that the server's messages pile up, and fill every window of theirs.
    for _ in 0..HOSTILE {
        let (player, _) = fixture.join_now(lossy(0, 4));
        fixture.players[player].client.send_message(b"open the stream").unwrap();
        fixture.run(Duration::from_millis(20));
        fixture.players[player].reads = false;
    }
    let before = resident_bytes();
    for _ in 0..100 {
        let peers: Vec<_> = fixture.server.peers().collect();
        for peer in peers {
            let _ = fixture.server.send_message(peer, &[1; 16_000]);
            let _ = fixture.server.send_datagram_from(peer, &[2; 1_000]);
        }
        for player in &mut fixture.players {
            let _ = player.client.send_message(&[3; 16_000]);
            let _ = player.client.send_datagram(bytes::Bytes::from(vec![4; 1_000]));
        }
        fixture.run(Duration::from_millis(20));
        fixture.events.clear();
    }
    assert_eq!(fixture.server.peers().count(), HOSTILE);
    let held = (resident_bytes() - before) / HOSTILE;
    // The clients, their unread windows included, are in this figure too.
    println!("{held} bytes a hostile connection");
    assert!(held < 1 << 20, "{held}");
}

#[test]
fn tiny_fragments_out_of_order_pin_their_own_packets_only() {
    alone("tiny_fragments_out_of_order_pin_their_own_packets_only", send_fragments);
}

fn send_fragments() {
    let mut fixture = Fixture::new();
    let mut raw = RawClient::connect(&mut fixture, b"sortie/1");
    raw.run_until(&mut fixture, |raw| raw.connected);
    let id = raw.quic.streams().open(quinn_proto::Dir::Bi).unwrap();
    let before = resident_bytes();
    // One byte a packet; every second packet never arrives, and neither do repairs.
    let mut packet = Vec::new();
    for k in 0..20_000_u32 {
        if raw.quic.send_stream(id).write(&[1]).is_err() {
            break;
        }
        packet.clear();
        while raw.quic.poll_transmit(fixture.now, 1, &mut packet).is_some() {
            if k % 2 == 1 {
                fixture.inject(raw.address, &packet);
            }
            packet.clear();
        }
    }
    let held = resident_bytes().saturating_sub(before);
    println!("{held} bytes held");
    assert!(held < 16 << 20, "both sides, server and sender: {held}");
}
