//! What server and clients agree on.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::SystemTime;

use bevy::app::PluginGroupBuilder;
use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy_replicon::prelude::*;
use bevy_replicon_renet::RenetChannelsExt;
use bevy_replicon_renet::netcode::{ClientAuthentication, ConnectToken, NetcodeClientTransport};
use bevy_replicon_renet::renet::ConnectionConfig;
use peers_s1::{INPUT_BYTES, POSE_BYTES};
use serde::{Deserialize, Serialize};

/// Number of the protocol, for netcode.
pub const PROTOCOL: u64 = 1;

/// Key of the connect tokens, for netcode. The loopback keeps no secrets.
pub const KEY: [u8; 32] = [7; 32];

/// Which player an entity is; sent once.
#[derive(Component, Clone, Copy, Serialize, Deserialize)]
pub struct Player(pub u16);

/// Where a player is and looks, packed to whole bytes: changes every tick.
#[derive(Component, Clone, Copy, Serialize, Deserialize)]
pub struct Body(pub [u8; POSE_BYTES]);

/// Changes now and then, hence apart from the body.
#[derive(Component, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Health(pub u8);

/// One message a tick, unreliable.
#[derive(Message, Clone, Copy, Serialize, Deserialize)]
pub struct Input(pub [u8; INPUT_BYTES]);

impl Input {
    /// The input of this number.
    pub fn new(number: u32) -> Self {
        let mut bytes = [7; INPUT_BYTES];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        Self(bytes)
    }
}

/// An app that knows the components and messages, with only one side's plugins of replicon.
pub fn app(replicon: PluginGroupBuilder) -> App {
    // The handshake is not what is compared.
    let shared = RepliconSharedPlugin { auth_method: AuthMethod::None };
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, StatesPlugin))
        .add_plugins(replicon.set(shared))
        .replicate_once::<Player>()
        .replicate::<Body>()
        .replicate::<Health>()
        .add_client_message::<Input>(Channel::Unreliable);
    app
}

/// The channels that replicon wants of renet.
pub fn connection(app: &App) -> ConnectionConfig {
    let channels = app.world().resource::<RepliconChannels>();
    ConnectionConfig {
        server_channels_config: channels.server_configs(),
        client_channels_config: channels.client_configs(),
        ..Default::default()
    }
}

/// A client's socket and its way to the server.
pub fn transport(number: usize, server: SocketAddr) -> anyhow::Result<NetcodeClientTransport> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let (expire_seconds, timeout_seconds, servers) = (300, 15, vec![server]);
    let connect_token = ConnectToken::generate(
        now,
        PROTOCOL,
        expire_seconds,
        number as u64,
        timeout_seconds,
        servers,
        None,
        &KEY,
    )?;
    let authentication = ClientAuthentication::Secure { connect_token };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(NetcodeClientTransport::new(now, authentication, socket)?)
}
