//! The clients: an endpoint, hence a socket, and two tasks each.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peers_s1::{Args, Bots, PERIOD, Phases};
use quinn::{ClientConfig, Endpoint};
use rustls::RootCertStore;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::datagram;

/// Clients that may be on their way to the server at once.
const CONNECTING_MAX: usize = 16;

/// How often the runner's requests are looked at.
const ATTENTION: Duration = Duration::from_millis(20);

/// Plays until the runner has its report.
pub async fn play(args: &Args, server: SocketAddr) -> anyhow::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(std::fs::read(args.folder.join("certificate"))?.into())?;
    let config = ClientConfig::with_root_certificates(Arc::new(roots))?;
    let bots = Arc::new(Mutex::new(Bots::new(args)));
    let gate = Arc::new(Semaphore::new(CONNECTING_MAX));
    let start = Instant::now();
    for &number in &args.clients {
        let (config, bots, gate) = (config.clone(), bots.clone(), gate.clone());
        tokio::spawn(async move {
            let first_input = start + Phases::offset(number);
            if let Err(error) = client(number, server, config, bots, gate, first_input).await {
                eprintln!("client {number}: {error:#}");
            }
        });
    }
    let mut attention = interval(ATTENTION);
    loop {
        attention.tick().await;
        if !bots.lock().expect("nobody panics with it").attend()? {
            return Ok(());
        }
    }
}

async fn client(
    number: usize,
    server: SocketAddr,
    config: ClientConfig,
    bots: Arc<Mutex<Bots>>,
    gate: Arc<Semaphore>,
    first_input: Instant,
) -> anyhow::Result<()> {
    let permit = gate.acquire().await?;
    let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    endpoint.set_default_client_config(config);
    let connection = endpoint.connect(server, "localhost")?.await?;
    drop(permit);

    let sender = connection.clone();
    tokio::spawn(async move {
        let mut ticks = interval_at(first_input, PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for input in 0.. {
            ticks.tick().await;
            if sender.send_datagram(datagram::input(number, input).into()).is_err() {
                return;
            }
        }
    });
    let mut told = Vec::new();
    loop {
        let received = connection.read_datagram().await?;
        told.clear();
        datagram::decode(&received, &mut told);
        let mut bots = bots.lock().expect("nobody panics with it");
        bots.tally.add(number, &told, received.len());
    }
}
