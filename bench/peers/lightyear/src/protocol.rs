//! What server and clients agree on.

use bevy::prelude::*;
use lightyear::prelude::*;
use peers_s1::{INPUT_BYTES, POSE_BYTES};
use serde::{Deserialize, Serialize};

/// Number of the protocol, for netcode.
pub const PROTOCOL: u64 = 1;

/// Key of the connect tokens, for netcode. The loopback keeps no secrets.
pub const KEY: [u8; 32] = [7; 32];

/// Which player an entity is; sent once.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Player(pub u16);

/// Where a player is and looks, packed to whole bytes: changes every tick.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body(pub [u8; POSE_BYTES]);

/// Changes now and then, hence apart from the body.
#[derive(Component, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health(pub u8);

/// One message a tick, unreliable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input(pub [u8; INPUT_BYTES]);

/// Carries [`Input`].
pub struct InputChannel;

/// Registers everything, after the plugins of one side and before any link.
pub fn register(app: &mut App) {
    app.component::<Player>().replicate_once();
    app.component::<Body>().replicate();
    app.component::<Health>().replicate();
    app.register_message::<Input>().add_direction(NetworkDirection::ClientToServer);
    app.add_channel::<InputChannel>(ChannelSettings {
        mode: ChannelMode::UnorderedUnreliable,
        ..default()
    })
    .add_direction(NetworkDirection::ClientToServer);
}
