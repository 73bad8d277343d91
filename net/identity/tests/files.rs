//! The files of a data directory: made once, read ever after, and named when they are unusable.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sortie_identity::{
    FILES, IdentityError, SECRETS_FILE, from_pem, load_or_create, load_or_create_secrets,
};
use sortie_quic::{Secrets, Server, ServerConfig};

#[test]
fn the_first_start_makes_files_that_the_second_reads() {
    let dir = tempfile::tempdir().unwrap();
    let first = load_or_create(dir.path()).unwrap().fingerprint();
    load_or_create_secrets(dir.path()).unwrap();
    let secret = fs::read(dir.path().join(SECRETS_FILE)).unwrap();
    assert_eq!(load_or_create(dir.path()).unwrap().fingerprint(), first);
    load_or_create_secrets(dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join(SECRETS_FILE)).unwrap(), secret);
    for name in [FILES[1], SECRETS_FILE] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // The files serve as PEM files like any other.
    let [chain, key] = FILES.map(|name| dir.path().join(name));
    assert_eq!(from_pem(&chain, &key).unwrap().fingerprint(), first);
}

#[test]
fn an_interrupted_first_start_is_made_good() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILES[1]), "half a key").unwrap();
    fs::write(dir.path().join("quic-cert.new"), "leftover").unwrap();
    let made = load_or_create(dir.path()).unwrap().fingerprint();
    assert_eq!(load_or_create(dir.path()).unwrap().fingerprint(), made);
}

#[test]
fn unusable_files_are_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere.pem");
    let error = from_pem(&missing, &missing).err().unwrap();
    assert!(matches!(error, IdentityError::Read { .. }));
    assert!(error.to_string().contains("nowhere.pem"), "{error}");

    let text = dir.path().join("text.pem");
    fs::write(&text, "not a certificate").unwrap();
    let error = from_pem(&text, &text).err().unwrap();
    assert!(error.to_string().contains("no CERTIFICATE section"), "{error}");

    fs::write(dir.path().join(SECRETS_FILE), "short").unwrap();
    let error = load_or_create_secrets(dir.path()).err().unwrap();
    assert!(error.to_string().contains("32 bytes"), "{error}");

    load_or_create(dir.path()).unwrap();
    fs::remove_file(dir.path().join(FILES[1])).unwrap();
    let error = load_or_create(dir.path()).err().unwrap();
    assert!(error.to_string().contains("new fingerprint"), "{error}");

    let error = load_or_create(&dir.path().join("no/such/dir")).err().unwrap();
    assert!(matches!(error, IdentityError::Write { .. }), "{error}");
}

#[test]
fn a_certificate_with_a_foreign_key_sets_up_no_server() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    load_or_create(one.path()).unwrap();
    load_or_create(other.path()).unwrap();
    let [chain, key] = [one.path().join(FILES[0]), other.path().join(FILES[1])];
    let config = ServerConfig::new(from_pem(&chain, &key).unwrap(), Secrets::ephemeral());
    assert!(Server::new(config, std::time::Instant::now()).is_err());
}
