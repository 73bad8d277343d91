//! The clients, each with a turn a tick.

use std::net::SocketAddr;

use peers_s1::{Args, Bots, Phases, Told};

use crate::full::{self, Full};
use crate::light::Light;

/// Clients that may be on their way to the server at once.
const CONNECTING_MAX: usize = 16;

/// One client in this many is an app as users have it, so that the light ones are not alone in
/// saying what the server sends.
const FULL_EVERY: usize = 16;

enum Client {
    Full(Box<Full>),
    Light(Box<Light>),
}

/// Plays until the runner has its report.
pub fn play(args: &Args, server: SocketAddr) -> anyhow::Result<()> {
    let mut bots = Bots::new(args);
    let mut phases = Phases::default();
    let mut clients: Vec<Client> = Vec::new();
    let mut told: Vec<Told> = Vec::new();
    let (connection, input_channel) = full::channels();
    while bots.attend()? {
        if clients.len() < args.clients.len().min(bots.tally.told() + CONNECTING_MAX) {
            let number = args.clients[clients.len()];
            clients.push(if clients.len().is_multiple_of(FULL_EVERY) {
                Client::Full(Full::connect(number, server)?.into())
            } else {
                let connection = connection.clone();
                Client::Light(Light::connect(number, server, connection, input_channel)?.into())
            });
        }
        for at in phases.sleep(clients.len()) {
            told.clear();
            let bytes = match &mut clients[at] {
                Client::Full(client) => client.turn(&mut bots.tally, &mut told),
                Client::Light(client) => client.turn(&mut told)?,
            };
            told.sort_by_key(|told| told.tick);
            bots.tally.add(args.clients[at], &told, bytes);
        }
    }
    Ok(())
}
