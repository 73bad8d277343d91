//! Who is let in and who is believed: protocol names, fingerprints, files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::world::{IDENTITY, World, lossy, server_config};
use sortie_quic::{CloseReason, Fingerprint, Identity, IdentityError, Secrets, Server, Shard};

/// TLS alert `no_application_protocol`, as a QUIC error code.
const NO_APPLICATION_PROTOCOL: u64 = 0x100 + 120;

#[test]
fn another_protocol_name_is_refused() {
    let mut world = World::new();
    let player = world.join_with(lossy(0, 10), None, |config| config.alpn = b"sortie/2".to_vec());
    world.run(Duration::from_secs(1));
    let reason = world.players[player].closed.clone().expect("closed");
    assert!(
        matches!(
            reason,
            CloseReason::Transport { code: NO_APPLICATION_PROTOCOL, by_peer: true, .. }
        ),
        "{reason}"
    );
    assert_eq!(world.server.counters().connected, 0);
    world.run(Duration::from_secs(10));
    assert_eq!(world.server.open_connections(), 0);
}

#[test]
fn a_server_with_another_fingerprint_is_not_believed() {
    let mut world = World::new();
    let player = world.join_with(lossy(0, 10), None, |config| {
        config.fingerprint = Fingerprint([0xab; 32]);
    });
    world.run(Duration::from_secs(1));
    let reason = world.players[player].closed.clone().expect("closed");
    assert!(matches!(reason, CloseReason::Transport { by_peer: false, .. }), "{reason}");
    assert!(!world.players[player].connected);
    assert!(world.events.is_empty(), "the game never hears of it: {:?}", world.events);
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
fn the_first_start_makes_files_that_the_second_reads() {
    let dir = tempfile::tempdir().unwrap();
    let first = Identity::load_or_create(dir.path()).unwrap().fingerprint();
    Secrets::load_or_create(dir.path()).unwrap();
    let secret = fs::read(dir.path().join(Secrets::FILE)).unwrap();
    assert_eq!(Identity::load_or_create(dir.path()).unwrap().fingerprint(), first);
    Secrets::load_or_create(dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join(Secrets::FILE)).unwrap(), secret);
    for name in [Identity::FILES[1], Secrets::FILE] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // The files serve as PEM files like any other.
    let [chain, key] = Identity::FILES.map(|name| dir.path().join(name));
    assert_eq!(Identity::from_pem(&chain, &key).unwrap().fingerprint(), first);
}

#[test]
fn an_interrupted_first_start_is_made_good() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(Identity::FILES[1]), "half a key").unwrap();
    fs::write(dir.path().join("quic-cert.new"), "leftover").unwrap();
    let made = Identity::load_or_create(dir.path()).unwrap().fingerprint();
    assert_eq!(Identity::load_or_create(dir.path()).unwrap().fingerprint(), made);
}

#[test]
fn unusable_files_are_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere.pem");
    let error = Identity::from_pem(&missing, &missing).err().unwrap();
    assert!(matches!(error, IdentityError::Read { .. }));
    assert!(error.to_string().contains("nowhere.pem"), "{error}");

    let text = dir.path().join("text.pem");
    fs::write(&text, "not a certificate").unwrap();
    let error = Identity::from_pem(&text, &text).err().unwrap();
    assert!(error.to_string().contains("no CERTIFICATE section"), "{error}");

    fs::write(dir.path().join(Secrets::FILE), "short").unwrap();
    let error = Secrets::load_or_create(dir.path()).err().unwrap();
    assert!(error.to_string().contains("32 bytes"), "{error}");

    Identity::load_or_create(dir.path()).unwrap();
    fs::remove_file(dir.path().join(Identity::FILES[1])).unwrap();
    let error = Identity::load_or_create(dir.path()).err().unwrap();
    assert!(error.to_string().contains("new fingerprint"), "{error}");

    let error = Identity::load_or_create(&dir.path().join("no/such/dir")).err().unwrap();
    assert!(matches!(error, IdentityError::Write { .. }), "{error}");
}

#[test]
fn a_certificate_with_a_foreign_key_sets_up_no_server() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Identity::load_or_create(one.path()).unwrap();
    Identity::load_or_create(other.path()).unwrap();
    let [chain, key] = [one.path().join(Identity::FILES[0]), other.path().join(Identity::FILES[1])];
    let mut config = server_config();
    config.identity = Identity::from_pem(&chain, &key).unwrap();
    assert!(Server::new(config, std::time::Instant::now()).is_err());
}

#[test]
fn a_shard_that_does_not_exist_is_refused() {
    for (index, count) in [(0, 0), (0, 3), (2, 2), (0, 512)] {
        let mut config = server_config();
        config.shard = Shard { index, count };
        assert!(Server::new(config, std::time::Instant::now()).is_err(), "{index} of {count}");
    }
}
