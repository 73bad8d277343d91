//! Blackouts, lost acks and resumes: the way back is a full snapshot, then deltas.

use crate::common::{Game, bad_link};
use sortie_link_sim::LinkConfig;
use sortie_session::server::SessionConfig;

fn game(link: LinkConfig) -> Game {
    let mut game = Game::new(100, 120.0, 3, SessionConfig::default(), link);
    game.run(300);
    game
}

#[test]
fn after_sixty_four_silent_ticks_a_full_snapshot_brings_the_client_back() {
    let mut game = game(LinkConfig::default());
    let full_before: Vec<u32> = game.players.iter().map(|player| player.full_received).collect();
    for player in &mut game.players {
        (player.mute_up, player.mute_down) = (true, true);
    }
    game.run(70);
    for player in &mut game.players {
        (player.mute_up, player.mute_down) = (false, false);
    }
    game.run(60);
    for (player, before) in game.players.iter().zip(full_before) {
        assert!((1..=3).contains(&(player.full_received - before)), "{}", player.full_received);
        assert!(player.is_up_to_date(&game.world));
    }
}

#[test]
fn a_shorter_blackout_costs_no_full_snapshot() {
    let mut game = game(LinkConfig::default());
    let full_before = game.players[0].full_received;
    game.players[0].mute_down = true;
    game.run(50);
    game.players[0].mute_down = false;
    game.run(30);
    assert_eq!(game.players[0].full_received, full_before);
    assert!(game.players[0].is_up_to_date(&game.world));
}

#[test]
fn without_acks_deltas_end_with_the_ring_and_full_snapshots_take_over() {
    let mut game = game(bad_link());
    game.players[0].mute_up = true;
    game.run(120);
    let player = &mut game.players[0];
    assert!(player.full_received > 20, "{}", player.full_received);
    player.mute_up = false;
    game.run(60);
    let full = game.players[0].full_received;
    game.run(60);
    assert_eq!(game.players[0].full_received, full, "acks are back, and deltas with them");
}

#[test]
fn a_resumed_session_starts_with_a_full_snapshot_whatever_is_still_under_way() {
    let mut game = game(bad_link());
    let tick = game.world.tick;
    let full_before = game.players[0].full_received;
    game.players[0].server.resume(tick);
    game.run(120);
    let player = &game.players[0];
    assert!(player.full_received > full_before);
    assert_eq!(player.server.counters().resumes, 1);
    let full = player.full_received;
    game.run(60);
    assert_eq!(game.players[0].full_received, full);
}
