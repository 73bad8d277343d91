//! Makes Rust of the .proto files with a compiler in Rust: nobody has to install protoc.

use std::path::PathBuf;
use std::{env, error, fs};

use prost::Message;

const FILES: [&str; 3] =
    ["sortie/fleet/v1/fleet.proto", "sortie/game/v1/game.proto", "sortie/ranking/v1/results.proto"];

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let set = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // For server reflection.
    fs::write(out.join("descriptors.bin"), set.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(set)?;
    Ok(())
}
