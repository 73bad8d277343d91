//! The server: one replicated entity a player, visibility set when somebody comes or goes.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy::time::TimeUpdateStrategy;
use bevy_replicon::server::server_tick::ServerTick;
use lightyear::prelude::server::*;
use lightyear::prelude::*;
use peers_s1::{Args, Duty, PERIOD};

use crate::protocol::{self, Body, Health, Input, KEY, PROTOCOL, Player};

/// Entities in the order of the players.
#[derive(Resource)]
struct Players(Vec<Entity>);

/// Whom a client sees, in ascending order.
#[derive(Component, Default)]
struct Seen(Option<Vec<u16>>);

#[derive(Resource)]
struct Shift(Duty);

/// Runs until the runner ends it.
pub fn serve(args: &Args) -> anyhow::Result<()> {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, StatesPlugin, ServerPlugins { tick_duration: PERIOD }));
    protocol::register(&mut app);
    // The server is updated once a tick of S1; each update is one tick of lightyear.
    app.insert_resource(TimeUpdateStrategy::ManualDuration(PERIOD));
    app.insert_resource(ReplicationMetadata::default());
    app.add_observer(welcome);
    app.finish();
    app.cleanup();
    let config = NetcodeConfig {
        max_clients: args.players,
        protocol_id: PROTOCOL,
        private_key: KEY,
        ..default()
    };
    let local = LocalAddr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let server = app.world_mut().spawn((NetcodeServer::new(config), local, ServerUdpIo::default()));
    let server = server.id();
    app.world_mut().trigger(Start { entity: server });
    app.update();
    let address = app.world().get::<LocalAddr>(server).context("the server is not bound")?.0;

    let duty = Duty::begin(args, address)?;
    let world = app.world_mut();
    let players = (0..args.players).map(|player| {
        let (body, health) = (Body(duty.world.pose(player).0), Health(duty.world.health(player)));
        let target = Replicate::to_clients(NetworkTarget::All);
        world.spawn((Player(player as u16), body, health, target)).id()
    });
    let players = players.collect();
    world.insert_resource(Players(players));
    world.insert_resource(ServerTick::default());
    world.insert_resource(Shift(duty));
    app.add_systems(Update, (receive, step, look).chain());
    loop {
        app.world().resource::<Shift>().0.sleep();
        app.update();
        app.world_mut().resource_mut::<Shift>().0.finish();
    }
}

fn welcome(added: On<Add, LinkOf>, mut commands: Commands) {
    commands.entity(added.entity).insert((ReplicationSender, Seen::default()));
}

fn receive(mut receivers: Query<&mut MessageReceiver<Input>>, shift: Res<Shift>) {
    let count: usize = receivers.iter_mut().map(|mut receiver| receiver.receive().count()).sum();
    shift.0.add_inputs(count as u64);
}

/// Replication's tick has advanced just before: the world keeps up with it.
fn step(
    mut shift: ResMut<Shift>,
    tick: Res<ServerTick>,
    mut bodies: Query<(&Player, &mut Body, &mut Health)>,
) {
    shift.0.step();
    let world = &shift.0.world;
    assert_eq!(world.tick(), tick.get(), "an update is a tick");
    for (&Player(player), mut body, mut health) in &mut bodies {
        body.0 = world.pose(player.into()).0;
        health.set_if_neq(Health(world.health(player.into())));
    }
}

/// Tells lightyear who came into sight and who went out of it.
fn look(
    shift: Res<Shift>,
    players: Res<Players>,
    mut clients: Query<(Entity, &RemoteId, &mut Seen), With<Connected>>,
    mut commands: Commands,
    mut now: Local<Vec<u16>>,
) {
    let world = &shift.0.world;
    for (client, id, mut seen) in &mut clients {
        let PeerId::Netcode(number) = id.0 else { continue };
        world.visible(number as usize, &mut now);
        now.sort_unstable();
        // Everything is visible at first.
        let before = seen.0.get_or_insert_with(|| (0..world.count() as u16).collect());
        for player in before.iter().filter(|&player| now.binary_search(player).is_err()) {
            commands.lose_visibility(players.0[usize::from(*player)], client);
        }
        for player in now.iter().filter(|&player| before.binary_search(player).is_err()) {
            commands.gain_visibility(players.0[usize::from(*player)], client);
        }
        before.clone_from(&now);
    }
}
