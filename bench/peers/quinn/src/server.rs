//! The server: a task a connection reads inputs, one task ticks and sends.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use peers_s1::{Args, Duty, server_socket};
use quinn::{Connection, Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::time::sleep_until;

use crate::datagram;

/// What tick and readers share.
#[derive(Default)]
struct Shared {
    /// Connections in the order of the players.
    connections: Vec<Option<Connection>>,
    /// Inputs since the last tick.
    inputs: u64,
}

/// Runs until the runner ends it.
pub async fn serve(args: &Args) -> anyhow::Result<()> {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(args.folder.join("certificate"), key.cert.der())?;
    let private = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let config = ServerConfig::with_single_cert(vec![key.cert.into()], private.into())?;
    let socket = server_socket()?;
    let address = socket.local_addr()?;
    let runtime = Arc::new(TokioRuntime);
    let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, runtime)?;

    let connections = vec![None; args.players];
    let shared = Arc::new(Mutex::new(Shared { connections, inputs: 0 }));
    tokio::spawn({
        let shared = shared.clone();
        async move {
            while let Some(incoming) = endpoint.accept().await {
                tokio::spawn(read(incoming, shared.clone()));
            }
        }
    });

    let mut duty = Duty::begin(args, address)?;
    let mut seen = Vec::new();
    loop {
        sleep_until(duty.due().into()).await;
        duty.step();
        let mut shared = shared.lock().expect("nobody panics with it");
        duty.add_inputs(std::mem::take(&mut shared.inputs));
        for (player, connection) in shared.connections.iter().enumerate() {
            let Some(connection) = connection else { continue };
            let Some(datagram_bytes) = connection.max_datagram_size() else { continue };
            duty.world.visible(player, &mut seen);
            for players in seen.chunks(datagram::players_max(datagram_bytes)) {
                let datagram = datagram::encode(&duty.world, players);
                // Fails only when the connection is gone: its reader will notice.
                let _ = connection.send_datagram(datagram.into());
            }
        }
        drop(shared);
        duty.finish();
    }
}

/// Reads one client's inputs until it goes.
async fn read(incoming: Incoming, shared: Arc<Mutex<Shared>>) -> anyhow::Result<()> {
    let connection = incoming.await?;
    let mut player = None;
    while let Ok(input) = connection.read_datagram().await {
        let mut shared = shared.lock().expect("nobody panics with it");
        shared.inputs += 1;
        if player.is_none() {
            let number = datagram::sender(&input).context("an unknown input")?;
            let seat = shared.connections.get_mut(number).context("an unknown player")?;
            *seat = Some(connection.clone());
            player = Some(number);
        }
    }
    if let Some(player) = player {
        shared.lock().expect("nobody panics with it").connections[player] = None;
    }
    Ok(())
}
