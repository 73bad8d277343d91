//! Golden samples: the bytes of one value of everything that travels.
//!
//! A change of these files is a change of the protocol. `UPDATE_GOLDEN=1 cargo test -p sortie-wire`
//! writes them anew, together with the fuzz seeds made from them.

use std::{fs, path::PathBuf};

use sortie_wire::{
    input::InputDatagram,
    message::{ClientMessage, ServerMessage},
    resume::ResumeKey,
    snapshot::Snapshot,
    ticket::{TicketError, TicketVerifier},
};

use crate::{hex, samples};

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn golden(name: &str) -> Vec<u8> {
    let path = home().join(format!("golden/{name}.hex"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    hex::parse(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn seed_folder(name: &str) -> &'static str {
    match name {
        "input" => "input",
        "ticket" | "resume_token" => "ticket",
        name if name.starts_with("snapshot") => "snapshot",
        _ => "message",
    }
}

#[test]
fn samples_encode_to_their_golden_bytes() {
    for (name, bytes) in samples::all_bytes() {
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(home().join(format!("golden/{name}.hex")), hex::print(&bytes)).unwrap();
            let folder = home().join("fuzz/corpus").join(seed_folder(&name));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(&name), &bytes).unwrap();
        }
        assert_eq!(hex::print(&bytes), hex::print(&golden(&name)), "{name}");
    }
}

#[test]
fn golden_bytes_decode_to_their_samples() {
    assert_eq!(InputDatagram::decode(&golden("input")), Ok(samples::input()));
    for (name, message) in samples::client_messages() {
        assert_eq!(ClientMessage::decode(&golden(&format!("client_{name}"))), Ok(message));
    }
    for (name, message) in samples::server_messages() {
        assert_eq!(ServerMessage::decode(&golden(&format!("server_{name}"))), Ok(message));
    }
    let key = samples::ticket_signer().public_key();
    let verifier = TicketVerifier::new(key, samples::BATTLE_ID, "eu-1");
    let ticket: Result<_, TicketError> = verifier.verify(&golden("ticket"), samples::NOW_MS);
    assert_eq!(ticket, Ok(samples::ticket()));
    let claims = ResumeKey::new(&[7; 32]).verify(&golden("resume_token")).unwrap();
    assert_eq!((claims.battle_id, claims.slot, claims.player_key), (samples::BATTLE_ID, 7, 42));
}

#[test]
fn golden_snapshots_decode_to_the_whole_set() {
    let known = samples::baseline();
    let mut full = Snapshot::default();
    Snapshot::decode(&golden("snapshot_full"), |_| None, &mut full).unwrap();
    assert_eq!(full.entities, known);
    assert_eq!((full.updated, full.removed, full.own.spawns_at), (3, 0, Some(1_200)));

    let mut next = Snapshot::default();
    let base = Snapshot::of(samples::BASELINE_TICK, known.clone());
    let asked = |tick| (tick == samples::BASELINE_TICK).then_some(&base);
    Snapshot::decode(&golden("snapshot"), asked, &mut next).unwrap();
    let ids: Vec<_> = next.entities.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [3, 17, 8_201]);
    assert_eq!(next.entity(17), Some(&known[1].1));
    assert_eq!(next.entity(3).unwrap().x, known[0].1.x + 33);
    assert_eq!((next.updated, next.removed), (2, 1));
    assert_eq!((next.own, next.sounds.len(), next.hits.len()), (samples::own(), 1, 1));
}
