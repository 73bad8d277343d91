//! A5: players who leave and join again add no tickets to their team.
//! Goes to sim/tests.
#![allow(dead_code, reason = "of the stage a part is used")]

#[path = "combat/stage.rs"]
mod stage;

use sortie_sim::command::Action;
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, Team};
use stage::Stage;

#[test]
fn three_shifts_of_the_same_players_have_the_tickets_of_one() {
    let mut stage = Stage::new();
    for shift in 0..3 {
        for player in 0..30 {
            let slot = PlayerSlot(shift * 30 + player);
            let key = PlayerKey(player.into());
            let class = Class::Assault;
            stage.ask(slot, Action::Join { key, team: Some(Team::Red), class });
        }
        stage.step();
        if shift < 2 {
            (0..30).for_each(|player| stage.ask(PlayerSlot(shift * 30 + player), Action::Leave));
            stage.step();
        }
    }
    let tickets = stage.view().tickets[0];
    assert!(tickets == 300, "A5: {tickets} tickets for 30 players who joined three times");
}
