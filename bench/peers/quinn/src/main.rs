//! S1 on a plain server of tokio and quinn: what one writes in a day with the best parts.
//!
//! The server sends the full quantised state of everybody in sight in one datagram a tick, found
//! by a grid. There is no delta, no ack of the application, no ordering beyond the tick's number.

mod clients;
mod datagram;
mod server;

use peers_s1::{Args, Role};

fn main() -> anyhow::Result<()> {
    let args = Args::read()?;
    // Each process has one core, which one thread serves best.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match args.role {
            Role::Server => server::serve(&args).await,
            Role::Clients(address) => clients::play(&args, address).await,
        }
    })
}
