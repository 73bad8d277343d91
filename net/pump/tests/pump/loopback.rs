//! Real sockets on loopback: two steered shards and a hundred clients.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sortie_pump::Pump;
use sortie_quic::{
    Client, ClientConfig, ClientEvent, Secrets, Server, ServerConfig, ServerEvent, Shard,
};
use sortie_udp::{PollSet, Socket, SocketOptions};

const CLIENTS: usize = 100;

/// A client with its socket, and what it has heard.
struct Player {
    socket: Socket,
    client: Client,
    told: bool,
    echoed: u32,
}

#[test]
fn a_hundred_clients_talk_to_two_shards_over_one_port() {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let identity = sortie_identity::ephemeral().unwrap();
    let secrets = Secrets::ephemeral();
    let sockets = Socket::bind_shards(local, 2, SocketOptions::default()).unwrap();
    let address = sockets[0].local_addr();
    let mut shards: Vec<(Socket, Server)> = sockets
        .into_iter()
        .enumerate()
        .map(|(index, socket)| {
            let mut config = ServerConfig::new(identity.clone(), secrets.clone());
            config.shard = Shard { index: index as u8, count: 2 };
            (socket, Server::new(config, Instant::now()).unwrap())
        })
        .collect();
    let mut players: Vec<Player> = (0..CLIENTS)
        .map(|_| {
            let config = ClientConfig::new(address, identity.fingerprint());
            let client = Client::new(config, Instant::now()).unwrap();
            let socket = Socket::bind(local, SocketOptions::client()).unwrap();
            Player { socket, client, told: false, echoed: 0 }
        })
        .collect();

    let mut pump = Pump::new();
    let mut set = PollSet::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_done = |player: &Player| player.told && player.echoed >= 5;
    let mut moved = false;
    while !players.iter().all(is_done) {
        let now = Instant::now();
        assert!(
            now < deadline,
            "{} of {CLIENTS} done",
            players.iter().filter(|p| is_done(p)).count()
        );
        for (socket, server) in &mut shards {
            pump.receive(socket, server, now, 16).unwrap();
            server.handle_timeouts(now);
            while let Some(event) = server.poll_event() {
                match event {
                    ServerEvent::Message { peer, message } => {
                        server.send_message(peer, &message).unwrap();
                    }
                    ServerEvent::Datagram { peer, datagram } => {
                        server.send_datagram(peer, datagram).unwrap();
                    }
                    ServerEvent::Connected { .. } => {}
                    ServerEvent::Closed { reason, .. } => panic!("lost a client: {reason}"),
                }
            }
            pump.transmit(socket, server, now);
        }
        for (k, player) in players.iter_mut().enumerate() {
            pump.receive(&player.socket, &mut player.client, now, 4).unwrap();
            player.client.handle_timeouts(now);
            while let Some(event) = player.client.poll_event() {
                match event {
                    ClientEvent::Connected => {
                        player.client.send_message(&[k as u8; 3_000]).unwrap();
                        player.client.send_datagram(Bytes::from_static(b"ping")).unwrap();
                    }
                    ClientEvent::Message(message) => {
                        assert_eq!(message, [k as u8; 3_000][..]);
                        player.told = true;
                    }
                    ClientEvent::Datagram(datagram) => {
                        player.echoed += 1;
                        player.client.send_datagram(datagram).unwrap();
                    }
                    ClientEvent::Closed(reason) => panic!("client {k}: {reason}"),
                }
            }
            pump.transmit(&player.socket, &mut player.client, now);
        }
        if !moved && players.iter().all(|player| player.echoed >= 2) {
            moved = true;
            // Everyone moves to a fresh port: the kernel must find the owning shard by the id.
            for player in &mut players {
                player.socket = Socket::bind(local, SocketOptions::client()).unwrap();
                player.client.local_address_changed();
                player.client.send_datagram(Bytes::from_static(b"ping")).unwrap();
            }
        }
        set.clear();
        shards.iter().for_each(|(socket, _)| set.push(socket));
        players.iter().for_each(|player| set.push(&player.socket));
        set.wait_until(now + Duration::from_millis(5)).unwrap();
    }
    let connected: Vec<u64> = shards.iter().map(|(_, s)| s.counters().connected).collect();
    assert_eq!(connected.iter().sum::<u64>(), CLIENTS as u64);
    assert!(connected.iter().all(|&count| count > 20), "both shards serve: {connected:?}");
}
