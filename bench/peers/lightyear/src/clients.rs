//! The clients: one app each, updated once a tick.

use std::net::{Ipv4Addr, SocketAddr};

use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy_replicon::client::confirm_history::{ConfirmHistory, EntityReplicated};
use bevy_replicon::prelude::{ClientMessages, ClientSystems, RepliconChannels};
use bevy_replicon::shared::backend::channels::ServerChannel;
use lightyear::prelude::client::*;
use lightyear::prelude::*;
use peers_s1::{Args, Bots, INPUT_BYTES, PERIOD, Phases, Pose, Told};

use crate::protocol::{self, Body, Health, Input, InputChannel, KEY, PROTOCOL, Player};
use crate::wire;

/// Clients that may be on their way to the server at once.
const CONNECTING_MAX: usize = 16;

/// What a client learnt in its last update.
#[derive(Resource, Default)]
struct News {
    told: Vec<Told>,
    bytes: usize,
    /// Updates that arrived together with newer ones: tick and number.
    overtaken: Vec<(u32, usize)>,
    inputs: u32,
}

/// Plays until the runner has its report.
pub fn play(args: &Args, server: SocketAddr) -> anyhow::Result<()> {
    let mut bots = Bots::new(args);
    let mut phases = Phases::default();
    let mut apps: Vec<App> = Vec::new();
    while bots.attend()? {
        if apps.len() < args.clients.len().min(bots.tally.told() + CONNECTING_MAX) {
            apps.push(client(args.clients[apps.len()], server)?);
        }
        for at in phases.sleep(apps.len()) {
            let app = &mut apps[at];
            app.update();
            let mut news = app.world_mut().resource_mut::<News>();
            let News { told, bytes, overtaken, .. } = &mut *news;
            for (tick, updates) in overtaken.drain(..) {
                bots.tally.add_overtaken(tick, updates);
            }
            bots.tally.add(args.clients[at], told, std::mem::take(bytes));
            told.clear();
        }
    }
    Ok(())
}

fn client(number: usize, server: SocketAddr) -> anyhow::Result<App> {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, StatesPlugin, ClientPlugins { tick_duration: PERIOD }));
    protocol::register(&mut app);
    app.init_resource::<News>()
        .add_systems(
            PreUpdate,
            weigh.after(ClientSystems::ReceivePackets).before(ClientSystems::Receive),
        )
        .add_systems(Update, (learn, send));
    app.finish();
    app.cleanup();
    let authentication = Authentication::Manual {
        server_addr: server,
        client_id: number as u64,
        private_key: KEY,
        protocol_id: PROTOCOL,
    };
    // Clients of a busy core may be late to answer.
    let config = NetcodeConfig { client_timeout_secs: 20, token_expire_secs: -1, ..default() };
    let client = app.world_mut().spawn((
        Client,
        LocalAddr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        PeerAddr(server),
        Link::default(),
        ReplicationReceiver,
        NetcodeClient::new(authentication, config)?,
        UdpIo::default(),
    ));
    let client = client.id();
    app.world_mut().trigger(Connect { entity: client });
    Ok(app)
}

/// Adds up what lightyear's transport gave to its replication.
fn weigh(messages: Res<ClientMessages>, channels: Res<RepliconChannels>, mut news: ResMut<News>) {
    for channel in 0..channels.server_channels().len() {
        let sizes = messages.iter_received(channel).map(|message| message.len());
        news.bytes += sizes.sum::<usize>();
    }
    let mutations = messages.iter_received(ServerChannel::Mutations);
    let mut updates: Vec<(u32, usize)> =
        mutations.filter_map(|message| wire::updates(message).ok()).collect();
    let newest = updates.iter().map(|(tick, _)| *tick).max();
    updates.retain(|(tick, _)| Some(*tick) != newest);
    news.overtaken.append(&mut updates);
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
    news.told.sort_by_key(|told| told.tick);
}

fn send(mut senders: Query<&mut MessageSender<Input>, With<Connected>>, mut news: ResMut<News>) {
    news.inputs += 1;
    let mut input = [7; INPUT_BYTES];
    input[..4].copy_from_slice(&news.inputs.to_le_bytes());
    for mut sender in &mut senders {
        sender.send::<InputChannel>(Input(input));
    }
}
