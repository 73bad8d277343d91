//! S1 on lightyear over UDP with netcode, as its examples use them.

mod clients;
mod protocol;
mod server;
mod wire;

use peers_s1::{Args, Role};

fn main() -> anyhow::Result<()> {
    let args = Args::read()?;
    match args.role {
        Role::Server => server::serve(&args),
        Role::Clients(address) => clients::play(&args, address),
    }
}
