//! S1 on bevy_replicon with renet, both as their examples use them.

mod clients;
mod full;
mod light;
mod protocol;
mod server;

use peers_s1::{Args, Role};

fn main() -> anyhow::Result<()> {
    let args = Args::read()?;
    match args.role {
        Role::Server => server::serve(&args),
        Role::Clients(address) => clients::play(&args, address),
    }
}
