//! Who is let in and who is believed: protocol names and fingerprints.

use std::time::Duration;

use crate::fixture::{Fixture, IDENTITY, lossy, server_config};
use sortie_quic::{CloseReason, Fingerprint, Server, Shard};

/// TLS alert `no_application_protocol`, as a QUIC error code.
const NO_APPLICATION_PROTOCOL: u64 = 0x100 + 120;

#[test]
fn another_protocol_name_is_refused() {
    let mut fixture = Fixture::new();
    let player = fixture.join_with(lossy(0, 10), None, |config| config.alpn = b"sortie/2".to_vec());
    fixture.run(Duration::from_secs(1));
    let reason = fixture.players[player].closed.clone().expect("closed");
    assert!(
        matches!(
            reason,
            CloseReason::Transport { code: NO_APPLICATION_PROTOCOL, by_peer: true, .. }
        ),
        "{reason}"
    );
    assert_eq!(fixture.server.counters().connected, 0);
    fixture.run(Duration::from_secs(10));
    assert_eq!(fixture.server.open_connections(), 0);
}

#[test]
fn a_server_with_another_fingerprint_is_not_believed() {
    let mut fixture = Fixture::new();
    let player = fixture.join_with(lossy(0, 10), None, |config| {
        config.fingerprint = Fingerprint([0xab; 32]);
    });
    fixture.run(Duration::from_secs(1));
    let reason = fixture.players[player].closed.clone().expect("closed");
    assert!(matches!(reason, CloseReason::Transport { by_peer: false, .. }), "{reason}");
    assert!(!fixture.players[player].connected);
    assert!(fixture.events.is_empty(), "the game never hears of it: {:?}", fixture.events);
}

#[test]
fn a_fingerprint_reads_as_it_prints() {
    let fingerprint = IDENTITY.fingerprint();
    assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    for wrong in ["", "ab", &"g".repeat(64), &"+1".repeat(32), &"é".repeat(32), &"0".repeat(66)] {
        assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
    }
}

#[test]
fn a_shard_that_does_not_exist_is_refused() {
    for (index, count) in [(0, 0), (0, 3), (2, 2), (0, 512)] {
        let mut config = server_config();
        config.shard = Shard { index, count };
        assert!(Server::new(config, std::time::Instant::now()).is_err(), "{index} of {count}");
    }
}
