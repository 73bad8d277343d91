//! The server: one replicated entity a player, one visibility bit an entity and client.

use std::time::SystemTime;

use bevy::prelude::*;
use bevy_replicon::prelude::*;
use bevy_replicon::server::visibility::client_visibility::ClientVisibility;
use bevy_replicon::server::visibility::filters_mask::FilterBit;
use bevy_replicon::server::visibility::registry::FilterRegistry;
use bevy_replicon::shared::backend::connected_client::NetworkId;
use bevy_replicon::shared::replication::registry::ReplicationRegistry;
use bevy_replicon_renet::RenetServer;
use bevy_replicon_renet::RepliconRenetServerPlugin;
use bevy_replicon_renet::netcode::{NetcodeServerTransport, ServerAuthentication, ServerConfig};
use peers_s1::{Args, Duty, server_socket};

use crate::protocol::{self, Body, Health, Input, PROTOCOL, Player};

/// Entities in the order of the players.
#[derive(Resource)]
struct Players(Vec<Entity>);

/// The bit that hides a whole entity from a client.
#[derive(Resource)]
struct InRange(FilterBit);

/// Whom a client sees, in ascending order.
#[derive(Component, Default)]
struct Seen(Option<Vec<u16>>);

#[derive(Resource)]
struct Shift(Duty);

/// Runs until the runner ends it.
pub fn serve(args: &Args) -> anyhow::Result<()> {
    let socket = server_socket()?;
    let address = socket.local_addr()?;
    // One replication tick an update, as the server is updated once a tick of S1.
    let replicon = RepliconPlugins
        .build()
        .set(ServerPlugin::new(PostUpdate))
        .disable::<ClientPlugin>()
        .disable::<ClientMessagePlugin>();
    let mut app = protocol::app(replicon);
    app.add_plugins(RepliconRenetServerPlugin);
    let config = ServerConfig {
        current_time: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?,
        max_clients: args.players,
        protocol_id: PROTOCOL,
        public_addresses: vec![address],
        authentication: ServerAuthentication::Secure { private_key: protocol::KEY },
    };
    app.insert_resource(RenetServer::new(protocol::connection(&app)));
    app.insert_resource(NetcodeServerTransport::new(config, socket)?);

    let world = app.world_mut();
    let bit = world.resource_scope(|world, mut filters: Mut<FilterRegistry>| {
        world.resource_scope(|world, mut registry: Mut<ReplicationRegistry>| {
            filters.register_scope::<Entity>(world, &mut registry, ScopeLifetime::WhileVisible)
        })
    });
    world.insert_resource(InRange(bit));
    let duty = Duty::begin(args, address)?;
    let players = (0..args.players).map(|player| {
        let (body, health) = (Body(duty.world.pose(player).0), Health(duty.world.health(player)));
        world.spawn((Replicated, Player(player as u16), body, health)).id()
    });
    let players = players.collect();
    world.insert_resource(Players(players));
    world.insert_resource(Shift(duty));

    app.add_observer(welcome);
    app.add_systems(PreUpdate, receive.after(ServerSystems::Receive));
    app.add_systems(Update, (step, look).chain());
    app.finish();
    app.cleanup();
    loop {
        app.world().resource::<Shift>().0.sleep();
        app.update();
        app.world_mut().resource_mut::<Shift>().0.finish();
    }
}

fn welcome(added: On<Add<AuthorizedClient>>, mut commands: Commands) {
    commands.entity(added.entity).insert(Seen::default());
}

fn receive(mut inputs: MessageReader<FromClient<Input>>, shift: Res<Shift>) {
    shift.0.add_inputs(inputs.read().count() as u64);
}

fn step(mut shift: ResMut<Shift>, mut bodies: Query<(&Player, &mut Body, &mut Health)>) {
    shift.0.step();
    let world = &shift.0.world;
    for (&Player(player), mut body, mut health) in &mut bodies {
        body.0 = world.pose(player.into()).0;
        health.set_if_neq(Health(world.health(player.into())));
    }
}

/// Tells replicon who came into sight and who went out of it.
fn look(
    shift: Res<Shift>,
    players: Res<Players>,
    bit: Res<InRange>,
    mut clients: Query<(&NetworkId, &mut Seen, &mut ClientVisibility)>,
    mut now: Local<Vec<u16>>,
) {
    let world = &shift.0.world;
    for (id, mut seen, mut visibility) in &mut clients {
        world.visible(id.get() as usize, &mut now);
        now.sort_unstable();
        // Everything is visible at first.
        let before = seen.0.get_or_insert_with(|| (0..world.count() as u16).collect());
        for player in before.iter().filter(|&player| now.binary_search(player).is_err()) {
            visibility.set(players.0[usize::from(*player)], bit.0, false);
        }
        for player in now.iter().filter(|&player| before.binary_search(player).is_err()) {
            visibility.set(players.0[usize::from(*player)], bit.0, true);
        }
        before.clone_from(&now);
    }
}
