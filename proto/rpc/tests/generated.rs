//! What is committed in `src/generated` is what the `.proto` files say.
//!
//! After a change of a `.proto` file: `UPDATE_GENERATED=1 cargo test -p sortie-rpc`.

use std::path::Path;
use std::{env, fs};

use prost::Message;

const FILES: [&str; 3] =
    ["sortie/fleet/v1/fleet.proto", "sortie/game/v1/game.proto", "sortie/ranking/v1/results.proto"];

#[test]
fn committed_code_is_made_from_the_proto_files() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    let (new, old) = (names(made.path()), names(&committed));
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::remove_dir_all(&committed).unwrap();
        fs::create_dir(&committed).unwrap();
        for name in &new {
            fs::copy(made.path().join(name), committed.join(name)).unwrap();
        }
        return;
    }
    assert_eq!(new, old, "{HINT}");
    for name in &new {
        let is_same = read(&made.path().join(name)) == read(&committed.join(name));
        assert!(is_same, "{name} is old: {HINT}");
    }
}

const HINT: &str = "run UPDATE_GENERATED=1 cargo test -p sortie-rpc";

/// Rust for each package, and the descriptors for server reflection, with a compiler in Rust:
/// nobody has to install protoc.
fn make(folder: &Path) {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let set = protox::compile(FILES, [protos]).unwrap();
    fs::write(folder.join("descriptors.bin"), set.encode_to_vec()).unwrap();
    tonic_prost_build::configure().out_dir(folder).compile_fds(set).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
