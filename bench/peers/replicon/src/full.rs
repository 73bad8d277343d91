//! A client as users have it: an app with replicon's plugins, updated once a tick.

use std::net::SocketAddr;

use bevy::prelude::*;
use bevy_replicon::client::confirm_history::{ConfirmHistory, EntityReplicated};
use bevy_replicon::prelude::*;
use bevy_replicon::shared::message::registry::RemoteMessageRegistry;
use bevy_replicon_renet::renet::ConnectionConfig;
use bevy_replicon_renet::{RenetClient, RepliconRenetClientPlugin};
use peers_s1::{Pose, Tally, Told};

use crate::protocol::{self, Body, Health, Input, Player};

/// One client.
pub struct Full(App);

/// What a client learnt in its last update.
#[derive(Resource, Default)]
struct News {
    told: Vec<Told>,
    bytes: usize,
    /// Updates that came together with newer ones: tick and number.
    overtaken: Vec<(u32, usize)>,
    inputs: u32,
}

impl Full {
    /// On its way to the server.
    pub fn connect(number: usize, server: SocketAddr) -> anyhow::Result<Self> {
        let mut app = app();
        app.add_plugins(RepliconRenetClientPlugin);
        app.insert_resource(RenetClient::new(protocol::connection(&app)));
        app.insert_resource(protocol::transport(number, server)?);
        app.init_resource::<News>()
            .add_systems(
                PreUpdate,
                weigh.after(ClientSystems::ReceivePackets).before(ClientSystems::Receive),
            )
            .add_systems(Update, learn)
            .add_systems(Update, send.run_if(in_state(ClientState::Connected)));
        app.finish();
        app.cleanup();
        Ok(Self(app))
    }

    /// Updates the app; adds what it was told. How many bytes that was.
    pub fn turn(&mut self, tally: &mut Tally, told: &mut Vec<Told>) -> usize {
        self.0.update();
        let mut news = self.0.world_mut().resource_mut::<News>();
        for (tick, updates) in news.overtaken.drain(..) {
            tally.add_overtaken(tick, updates);
        }
        told.append(&mut news.told);
        std::mem::take(&mut news.bytes)
    }
}

/// What a client without an app has to know: the channels, and that of [`Input`].
pub fn channels() -> (ConnectionConfig, u8) {
    let app = app();
    let channel = app.world().resource::<RemoteMessageRegistry>().client_message_channel::<Input>();
    (protocol::connection(&app), channel.expect("it is registered") as u8)
}

fn app() -> App {
    let replicon =
        RepliconPlugins.build().disable::<ServerPlugin>().disable::<ServerMessagePlugin>();
    let mut app = protocol::app(replicon);
    // Nothing runs on the fixed timestep here: it need not be looked after either.
    app.insert_resource(Time::<Fixed>::from_hz(0.1));
    app
}

/// Adds up what renet gave to replicon.
fn weigh(messages: Res<ClientMessages>, channels: Res<RepliconChannels>, mut news: ResMut<News>) {
    for channel in 0..channels.server_channels().len() {
        let sizes = messages.iter_received(channel).map(|message| message.len());
        news.bytes += sizes.sum::<usize>();
    }
}

fn learn(
    mut replicated: MessageReader<EntityReplicated>,
    players: Query<(&Player, &Body, &Health, &ConfirmHistory)>,
    mut news: ResMut<News>,
) {
    for update in replicated.read() {
        // An update may have despawned its entity.
        let Ok((player, body, health, history)) = players.get(update.entity) else { continue };
        if update.tick != history.last_tick() {
            // Overtaken by a newer one in the same update of the app.
            news.overtaken.push((update.tick.get(), 1));
            continue;
        }
        news.told.push(Told {
            tick: update.tick.get(),
            player: player.0,
            pose: Pose(body.0),
            health: health.0,
        });
    }
}

fn send(mut inputs: MessageWriter<Input>, mut news: ResMut<News>) {
    news.inputs += 1;
    inputs.write(Input::new(news.inputs));
}
