//! A1: the way up falls from 290 ms to 10 ms; the inputs of the player go on being consumed.
//! Goes to net/session/tests.

#[path = "session/common.rs"]
mod common;

use std::time::Duration;

use common::Game;
use sortie_link_sim::{Link, LinkConfig};
use sortie_session::server::SessionConfig;

fn way(delay_ms: u64) -> LinkConfig {
    LinkConfig { delay: Duration::from_millis(delay_ms), ..LinkConfig::default() }
}

#[test]
fn control_survives_a_way_up_that_becomes_short() {
    let mut game = Game::new(4, 50.0, 1, SessionConfig::default(), way(100));
    game.players[0].up = Link::new(way(290), 1);
    game.run(600);
    game.players[0].up = Link::new(way(10), 2);
    game.run(300);
    let before = game.players[0].server.input_counters().fresh;
    game.run(600);
    let fresh = game.players[0].server.input_counters().fresh - before;
    assert!(fresh > 590, "A1: of 600 ticks, {fresh} consumed an input of the player");
}
