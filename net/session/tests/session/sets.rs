//! Every client's decoded set equals the server's record, whatever the network does.

use std::time::Duration;

use crate::common::{Game, bad_link};
use sortie_link_sim::{Burst, LinkConfig, Probability};
use sortie_session::server::SessionConfig;

/// [`common::Player`] compares every newest snapshot with the server's record.
fn play(soldiers: usize, link: LinkConfig, config: SessionConfig) -> Game {
    let mut game = Game::new(soldiers, 120.0, 6, config, link);
    game.run(1_200);
    for player in &game.players {
        assert!(player.checked > 900, "slot {} checked {}", player.slot, player.checked);
    }
    game
}

#[test]
fn on_a_perfect_wire() {
    let game = play(150, LinkConfig::default(), SessionConfig::default());
    for player in &game.players {
        assert!(player.is_up_to_date(&game.world));
        assert!(player.full_received <= 4, "deltas after the first: {}", player.full_received);
        assert_eq!(player.client.counters().missed, 0);
    }
}

#[test]
fn under_loss_jitter_reordering_and_duplication() {
    let game = play(150, bad_link(), SessionConfig::default());
    for player in &game.players {
        let inputs = player.server.input_counters();
        // Before the first input arrives, there is nothing to consume.
        let starved = (inputs.repeated + inputs.neutral).saturating_sub(16);
        assert!(starved * 100 < inputs.fresh, "{inputs:?}");
        // The first round trip knows no ack.
        assert!(player.full_received < 40, "{}", player.full_received);
    }
}

#[test]
fn under_bursts_of_loss() {
    let burst = Burst { begin: Probability::percent(1), end: Probability::percent(15) };
    play(150, LinkConfig { burst_loss: Some(burst), ..bad_link() }, SessionConfig::default());
}

#[test]
fn inside_a_small_budget() {
    let config = SessionConfig { bytes_per_s: 8_000, ..SessionConfig::default() };
    let game = play(400, bad_link(), config);
    for player in &game.players {
        let counters = player.server.counters();
        let bytes_per_s = counters.snapshot_bytes / 20;
        assert!(bytes_per_s <= 8_200, "{bytes_per_s}");
        assert!(counters.postponed > 0);
    }
}

#[test]
fn in_a_crowd_larger_than_a_datagram() {
    let link = LinkConfig { delay: Duration::from_millis(20), ..LinkConfig::default() };
    let config = SessionConfig { bytes_per_s: 200_000, ..SessionConfig::default() };
    let mut game = Game::new(600, 120.0, 3, config, link);
    game.players.iter_mut().for_each(|player| player.radius_m = 500.0);
    game.run(600);
    for player in &game.players {
        let newest = player.client.newest().unwrap();
        let tick = newest.snapshot.header.tick;
        let held = player.server.held_after(tick).unwrap();
        let mut ages: Vec<u32> = held.iter().map(|held| tick - held.tick).collect();
        ages.sort_unstable();
        let (middle, oldest) = (ages[ages.len() / 2], ages[ages.len() - 1]);
        let visible = &player.visible[&newest.snapshot.header.tick];
        let told = newest.snapshot.entities.len();
        println!("told {told} of {}, ticks old: half {middle}, all {oldest}", visible.len());
        assert!(told * 10 >= visible.len() * 9, "nearly all are told");
        assert!(player.server.counters().postponed > 0, "not all fit");
        assert!(oldest < 60, "nobody starves");
    }
}
