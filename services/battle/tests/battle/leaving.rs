//! Whichever way a player leaves a fight, its soldier dies in it.

use std::time::{Duration, Instant};

use sortie_battle::BattleServerConfig;
use sortie_battle::server::BattleServer;
use sortie_sim::config::Mode;
use sortie_sim::field::{Pitch, Vec3, Yaw};
use sortie_sim::view::{SoldierRow, Status};
use sortie_wire::input::buttons;
use sortie_wire::message::{ClientMessage, SpawnAt};
use sortie_wire::state::status;
use tempfile::tempdir;

use crate::world::{Player, config, run_until, ticket};

/// A battle in which shots go where they are aimed and nobody waits long for a wave.
fn rules(config: &mut BattleServerConfig) {
    let rules = &mut config.rules;
    rules.mode = Mode::Conquest;
    rules.objective.wave_s = 0.1;
    for weapon in &mut rules.weapons {
        (weapon.spread_deg, weapon.spread_per_shot_deg) = (0.0, 0.0);
        (weapon.recoil_up_deg, weapon.recoil_side_deg) = (0.0, 0.0);
    }
}

fn row(server: &BattleServer, player: &Player) -> SoldierRow {
    server.battle().view().soldiers[usize::from(player.client.view().slot)]
}

/// Two enemies in the field, of whom the second has just been hurt by the first.
fn fight(server: &mut BattleServer) -> Vec<Player> {
    let ready = server.ready().clone();
    let player = |number| Player::new(&ready, ticket(&ready, 100 + number, number));
    let mut players: Vec<Player> = (1..=2).map(player).collect();
    run_until(server, &mut players, "both to play", |_, players| {
        players.iter().all(Player::is_playing)
    });
    let spawn = ClientMessage::Spawn { at: SpawnAt::Base, class: 0 };
    players.iter_mut().for_each(|player| player.client.send_message(&spawn));
    run_until(server, &mut players, "both to be in the field", |_, players| {
        players.iter().all(|player| player.client.view().own.status == status::ALIVE)
    });
    run_until(server, &mut players, "the shot to hit", |server, players| {
        let [shooter, victim] = [0, 1].map(|index| row(server, &players[index]));
        let way = victim.body.pos - shooter.body.pos - Vec3::Y * 0.45;
        let flat_m = (way.x * way.x + way.z * way.z).sqrt();
        let wish = &mut players[0].wish;
        wish.yaw = Yaw::towards(way.x, way.z).0;
        wish.pitch = Pitch::from_radians((way.y / flat_m).atan()).0;
        let is_hurt = victim.health_hp < 100;
        // One round at a time, so that it is not brought down.
        let tick = server.battle().tick().0;
        let pulls = !is_hurt && tick.is_multiple_of(60);
        wish.buttons = if pulls { buttons::FIRE } else { 0 };
        is_hurt
    });
    assert_eq!(row(server, &players[1]).status, Status::Alive);
    players
}

/// The shooter's kills and the victim's deaths after it is gone.
fn after(server: &mut BattleServer, players: &mut [Player], victim: usize) -> (u16, u16) {
    run_until(server, players, "the victim to be gone", |server, _| {
        server.battle().view().soldiers[victim].status == Status::Left
    });
    let kills = row(server, &players[0]).score.kills;
    (kills, server.battle().view().soldiers[victim].score.deaths)
}

#[test]
fn who_says_goodbye_in_a_fight_falls_in_it() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    rules(&mut config);
    let mut server = BattleServer::open(config).unwrap();
    server.start_clock(Instant::now());
    let mut players = fight(&mut server);
    let victim = usize::from(players[1].client.view().slot);
    players[1].client.leave(Instant::now());
    assert_eq!(after(&mut server, &mut players, victim), (1, 1));
}

#[test]
fn who_pulls_the_plug_in_a_fight_falls_in_it_when_its_time_to_come_back_is_over() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    rules(&mut config);
    // Far less than it takes to notice that the player is lost.
    config.rules.combat.leave_s = 2.0;
    config.grace = Duration::from_millis(300);
    let mut server = BattleServer::open(config).unwrap();
    server.start_clock(Instant::now());
    let mut players = fight(&mut server);
    let victim = usize::from(players[1].client.view().slot);
    let tick = server.battle().tick().0;
    drop(players.pop());
    assert_eq!(after(&mut server, &mut players, victim), (1, 1));
    let waited = server.battle().tick().0 - tick;
    assert!(waited > 4 * 60, "it was lost for {waited} ticks only");
}
