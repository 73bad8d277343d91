//! E22: who is closed is told so by `Leaving` before the close.
//! Goes to services/battle/tests.
#![allow(dead_code, unused_macros, reason = "of the world a part is used")]

#[path = "battle/world.rs"]
#[macro_use]
mod world;

use std::time::Instant;

use sortie_battle::server::Server;
use sortie_client::Event;
use sortie_wire::message::ServerMessage;
use world::{Player, ticket};

#[test]
fn leaving_arrives_before_the_close() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::open(world::config(dir.path())).unwrap();
    server.start_clock(Instant::now());
    let ready = server.ready().clone();
    let mut players = vec![Player::new(&ready, ticket(&ready, 1, 1))];
    world::run_until(&mut server, &mut players, "the first login", |_, players| {
        players[0].is_playing()
    });
    // The second login of the same player closes the first.
    players.push(Player::new(&ready, ticket(&ready, 2, 1)));
    world::run_until(&mut server, &mut players, "the close", |_, players| {
        players[0].closed_by().is_some()
    });
    let is_leaving = |event: &Event| matches!(event, Event::Message(ServerMessage::Leaving { .. }));
    let told = players[0].events.iter().any(is_leaving);
    assert!(told, "E22: closed with {:?}, without a word before", players[0].closed_by());
}
