//! F26: a battle that ends by its duration is won by the team with more tickets.
//! Goes to services/battle/tests.
#![allow(dead_code, reason = "of the world a part is used")]

#[path = "battle/world.rs"]
#[macro_use]
mod world;

use std::time::{Duration, Instant};

use sortie_battle::server::{Ending, Server};
use sortie_sim::config::{Mode, SimConfig};
use world::{Player, ticket};

#[test]
fn the_team_with_more_tickets_wins_when_the_time_is_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = world::config(dir.path());
    config.rules = SimConfig { mode: Mode::Conquest, players_max: 64, ..SimConfig::default() };
    // The first player's team has ten tickets, the other none.
    config.rules.objective.tickets_min = 1;
    config.duration = Some(Duration::from_secs(2));
    let mut server = Server::open(config).unwrap();
    server.start_clock(Instant::now());
    let ready = server.ready().clone();
    let mut players = vec![Player::new(&ready, ticket(&ready, 1, 1))];
    world::run_until(&mut server, &mut players, "the player to play", |_, players| {
        players[0].is_playing()
    });
    world::run_ticks(&mut server, &mut players, 120);
    let [red, blue] = server.battle().view().tickets;
    let report = server.end(Ending::Duration).unwrap();
    assert_ne!(red, blue);
    assert!(report.winner.is_some(), "F26: with {red} to {blue} tickets the winner is nobody");
}
