//! Players join, are told, come back, are turned away, and see the end.

use std::time::Instant;

use sortie_battle::failpoint::{Failpoint, Failpoints, Fault};
use sortie_battle::replay;
use sortie_battle::server::{BattleServer, Ending};
use sortie_battle::ticket_clock::TicketClock;
use sortie_client::{Event, LanePolicy};
use sortie_sim::view::Status;
use sortie_wire::close::CloseCode;
use sortie_wire::message::{ClientMessage, ServerMessage, SpawnAt};
use sortie_wire::state::status;
use tempfile::tempdir;

use crate::on_both_lanes;
use crate::world::{Player, config, config_for, run_alone, run_ticks, run_until, ticket};

on_both_lanes! {
    players_join_walk_and_see_each_other,
    the_end_is_told,
    a_second_login_of_a_player_replaces_the_first,
    a_restarted_server_finds_its_players_again,
    a_player_who_leaves_is_gone_and_one_who_vanishes_has_time,
    shards_and_threads_serve_alike,
}

fn open(config: sortie_battle::BattleServerConfig) -> BattleServer {
    let mut server = BattleServer::open(config).unwrap();
    server.start_clock(Instant::now());
    server
}

fn all_play(server: &mut BattleServer, players: &mut [Player]) {
    run_until(server, players, "all to play", |_, players| players.iter().all(Player::is_playing));
}

fn join(server: &mut BattleServer, count: u128) -> Vec<Player> {
    let ready = server.ready().clone();
    let player = |number| Player::new(&ready, ticket(&ready, 100 + number, number));
    let mut players: Vec<Player> = (1..=count).map(player).collect();
    all_play(server, &mut players);
    players
}

fn players_join_walk_and_see_each_other(lane: LanePolicy) {
    let dir = tempdir().unwrap();
    let mut server = open(config_for(dir.path(), lane));
    let mut players = join(&mut server, 4);
    let spawn = ClientMessage::Spawn { at: SpawnAt::Base, class: 0 };
    players.iter_mut().for_each(|player| player.client.send_message(&spawn));
    run_until(&mut server, &mut players, "all to be in the field", |_, players| {
        players.iter().all(|player| player.client.view().own.status == status::ALIVE)
    });
    players[0].wish.move_forward = 127;
    let mover = usize::from(players[0].client.view().slot);
    let from = server.battle().view().soldiers[mover].body.pos;
    run_ticks(&mut server, &mut players, 90);
    for player in &players {
        let view = player.client.view();
        let row = &server.battle().view().soldiers[usize::from(view.slot)];
        assert_eq!((row.slot.0, row.team as u8), (view.slot, view.team));
        assert_eq!(view.players.len(), 4, "everybody is on the list");
        assert_eq!(view.others.iter().count(), 3, "and in sight");
        let soldier = view.players[&view.slot].clone();
        assert_eq!(soldier.name.as_str(), format!("player {}", row.key.0));
    }
    let to = server.battle().view().soldiers[mover].body.pos;
    assert!(from.distance(to) > 2.0, "walked {} m", from.distance(to));
    let report = server.end(Ending::Stopped).unwrap();
    assert_eq!((report.joins, report.clients_peak, report.clients_lost), (4, 4, 0));
    assert!(report.snapshots_sent * 100 >= report.updates_expected * 99);
    let (sealed, all) = (report.snapshots_sealed, report.snapshots_sent);
    match lane {
        LanePolicy::Quic => assert_eq!(sealed, 0),
        // All but those of the first round trips.
        _ => assert!(sealed * 10 >= all * 9, "{sealed} of {all} sealed"),
    }
    let path = report.replay_path.unwrap();
    let verified = replay::verify(&path, 1, &mut |_, _| {}).unwrap();
    assert!(verified.closed);
    assert_eq!(verified.state_hash, report.state_hash);
}

fn the_end_is_told(lane: LanePolicy) {
    let dir = tempdir().unwrap();
    let mut server = open(config_for(dir.path(), lane));
    let mut players = join(&mut server, 2);
    let ended = std::thread::spawn(move || server.end(Ending::Stopped).unwrap());
    run_alone(&mut players, "the end", |players| {
        players.iter().all(|player| player.closed_by().is_some())
    });
    for player in &players {
        assert_eq!(player.closed_by(), Some(CloseCode::ShuttingDown.number()));
        let told = player.events.iter().any(|event| {
            matches!(event, Event::Message(ServerMessage::Leaving { code, .. })
                if *code == CloseCode::ShuttingDown.number())
        });
        assert!(told, "{:?}", player.events.last());
    }
    assert!(ended.join().unwrap().journal_complete);
}

#[test]
fn a_ticket_is_good_once_also_after_a_restart() {
    let dir = tempdir().unwrap();
    let mut server = open(config(dir.path()));
    let ready = server.ready().clone();
    let stolen = ticket(&ready, 7, 1);
    let mut players = vec![Player::new(&ready, stolen.clone())];
    all_play(&mut server, &mut players);
    let refused = |server: &mut BattleServer, players: &mut Vec<Player>| {
        let ready = server.ready().clone();
        players.push(Player::new(&ready, stolen.clone()));
        run_until(server, players, "the thief to be turned away", |_, players| {
            players.last().is_some_and(|thief| thief.closed_by().is_some())
        });
        let thief = players.pop().unwrap();
        assert_eq!(thief.closed_by(), Some(CloseCode::TicketUsed.number()));
    };
    refused(&mut server, &mut players);
    drop(server);
    let mut config = config(dir.path());
    config.listen = ready.listen;
    let mut server = open(config);
    assert!(server.ready().resumed);
    refused(&mut server, &mut players);
}

/// Whoever sets the machine's clock, and however often: no ticket is good twice, and good ones are
/// let in.
#[test]
fn no_jump_of_the_clock_makes_a_used_ticket_good_again() {
    let dir = tempdir().unwrap();
    let mut server = open(config(dir.path()));
    let ready = server.ready().clone();
    let used = ticket(&ready, 7, 1);
    let mut players = vec![Player::new(&ready, used.clone())];
    all_play(&mut server, &mut players);
    let now_ms = TicketClock::by_wall().now_ms();
    for jump_ms in [3_600_000i64, -3_600_000, 20_000, 40_000, -20_000] {
        server.set_ticket_clock(TicketClock::set_to(now_ms.saturating_add_signed(jump_ms)));
        // Whatever is done now and then is done meanwhile.
        run_ticks(&mut server, &mut players, 70);
        server.set_ticket_clock(TicketClock::by_wall());
        players.push(Player::new(&ready, used.clone()));
        run_until(&mut server, &mut players, "the used ticket to be refused", |_, players| {
            players[1].closed_by().is_some()
        });
        let code = players.pop().unwrap().closed_by();
        assert_eq!(code, Some(CloseCode::TicketUsed.number()), "{jump_ms} ms");
    }
    players.push(Player::new(&ready, ticket(&ready, 8, 2)));
    all_play(&mut server, &mut players);
}

fn a_second_login_of_a_player_replaces_the_first(lane: LanePolicy) {
    let dir = tempdir().unwrap();
    let mut server = open(config_for(dir.path(), lane));
    let mut players = join(&mut server, 2);
    let slot = players[0].client.view().slot;
    let key = server.battle().view().soldiers[usize::from(slot)].key.0;
    let ready = server.ready().clone();
    players.push(Player::new(&ready, ticket(&ready, 200, key)));
    run_until(&mut server, &mut players, "the new login to play", |_, players| {
        players[2].is_playing() && players[0].closed_by().is_some()
    });
    assert_eq!(players[0].closed_by(), Some(CloseCode::Replaced.number()));
    assert_eq!(players[2].client.view().slot, slot);
    assert_eq!(server.battle().view().soldiers.len(), 2);
}

fn a_restarted_server_finds_its_players_again(lane: LanePolicy) {
    let dir = tempdir().unwrap();
    let mut server = open(config_for(dir.path(), lane));
    let ready = server.ready().clone();
    let mut players = join(&mut server, 3);
    run_ticks(&mut server, &mut players, 30);
    let slots: Vec<u16> = players.iter().map(|player| player.client.view().slot).collect();
    let tick = server.battle().tick();
    drop(server);

    let mut config = config_for(dir.path(), lane);
    config.listen = ready.listen;
    let mut server = open(config);
    assert_eq!(server.ready().battle_id, ready.battle_id);
    assert_eq!((server.ready().resumed, server.ready().incarnation), (true, 2));
    assert!(server.battle().tick().0 + 6 >= tick.0, "taken up where it was");
    run_until(&mut server, &mut players, "all to come back", |_, players| {
        let restarted = |event: &Event| matches!(event, Event::Welcomed { restarted: true, .. });
        players.iter().all(|player| player.events.iter().any(restarted) && player.is_playing())
    });
    run_ticks(&mut server, &mut players, 30);
    let again: Vec<u16> = players.iter().map(|player| player.client.view().slot).collect();
    assert_eq!(again, slots);
    let report = server.end(Ending::Stopped).unwrap();
    assert_eq!((report.joins, report.resumes, report.clients_lost), (3, 3, 0));
    let verified = replay::verify(&report.replay_path.unwrap(), 1, &mut |_, _| {}).unwrap();
    assert_eq!(verified.ticks, report.last_tick);
}

fn a_player_who_leaves_is_gone_and_one_who_vanishes_has_time(lane: LanePolicy) {
    let dir = tempdir().unwrap();
    let mut config = config_for(dir.path(), lane);
    config.grace = std::time::Duration::from_millis(300);
    let mut server = open(config);
    let mut players = join(&mut server, 2);
    let slots: Vec<usize> =
        players.iter().map(|player| usize::from(player.client.view().slot)).collect();
    players[0].client.leave(Instant::now());
    run_until(&mut server, &mut players, "the soldier to leave", |server, _| {
        server.battle().view().soldiers[slots[0]].status == Status::Left
    });
    assert_ne!(server.battle().view().soldiers[slots[1]].status, Status::Left);
    assert_eq!(server.connected(), 1);
    // Longer than the grace time, and the one who is here stays.
    run_ticks(&mut server, &mut players, 60);
    assert_ne!(server.battle().view().soldiers[slots[1]].status, Status::Left);
}

#[test]
fn a_full_battle_turns_newcomers_away() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    config.rules.players_max = 2;
    let mut server = open(config);
    let mut players = join(&mut server, 2);
    let ready = server.ready().clone();
    players.push(Player::new(&ready, ticket(&ready, 300, 300)));
    run_until(&mut server, &mut players, "the third to be turned away", |_, players| {
        players[2].closed_by().is_some()
    });
    assert_eq!(players[2].closed_by(), Some(CloseCode::BattleFull.number()));
}

/// A battle of four: one player who comes and goes takes one place, and leavers take none.
#[test]
fn whoever_comes_and_goes_takes_no_place_of_others() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    config.rules.players_max = 4;
    let mut server = open(config);
    let mut players = join(&mut server, 4);
    let ready = server.ready().clone();
    let key_of = |server: &BattleServer, player: &Player| {
        server.battle().view().soldiers[usize::from(player.client.view().slot)].key.0
    };
    let (key, slot) = (key_of(&server, &players[0]), players[0].client.view().slot);
    let leave = |server: &mut BattleServer, players: &mut Vec<Player>| {
        let gone = usize::from(players[0].client.view().slot);
        players[0].client.leave(Instant::now());
        run_until(server, players, "the soldier to leave", |server, _| {
            server.battle().view().soldiers[gone].status == Status::Left
        });
    };
    for time in 1..=4 {
        leave(&mut server, &mut players);
        players[0] = Player::new(&ready, ticket(&ready, 1_000 + time, key));
        all_play(&mut server, &mut players);
        assert_eq!(players[0].client.view().slot, slot, "its own place again");
        assert_eq!(server.battle().view().soldiers.len(), 4);
    }
    // All four leave for good: there is room for four others.
    for other in 1..=4 {
        leave(&mut server, &mut players);
        players.remove(0);
        players.push(Player::new(&ready, ticket(&ready, 2_000 + other, 2_000 + other)));
        all_play(&mut server, &mut players);
    }
    assert_eq!(server.connected(), 4);
    // And for the fifth, there is none, also not for who was there before.
    players.push(Player::new(&ready, ticket(&ready, 3_000, key)));
    run_until(&mut server, &mut players, "the fifth to be turned away", |_, players| {
        players[4].closed_by().is_some()
    });
    assert_eq!(players[4].closed_by(), Some(CloseCode::BattleFull.number()));
    let report = server.end(Ending::Stopped).unwrap();
    replay::verify(&report.replay_path.unwrap(), 1, &mut |_, _| {}).unwrap();
}

/// The team with more tickets wins when the time is up, and everybody is told so.
#[test]
fn a_battle_that_ends_by_its_duration_has_a_winner() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    config.rules.mode = sortie_sim::config::Mode::Conquest;
    config.rules.objective.tickets_min = 1;
    config.duration = Some(std::time::Duration::from_secs(4));
    let mut server = open(config);
    // Two against one: twenty tickets against ten.
    let mut players = join(&mut server, 3);
    run_until(&mut server, &mut players, "the end", |server, _| server.ending().is_some());
    assert_eq!(server.ending(), Some(Ending::Duration));
    let winner = players[0].client.view().team;
    let told = server.battle().view().soldiers.iter().filter(|row| row.team as u8 == winner);
    assert_eq!(told.count(), 2);
    let report = server.end(Ending::Duration).unwrap();
    assert_eq!((report.ticks, report.winner), (240, Some(winner)));
    run_alone(&mut players, "everybody to be told", |players| {
        let is_told = |event: &Event| {
            matches!(event, Event::Message(ServerMessage::RoundEnded { winner: Some(told), .. })
                if *told == winner)
        };
        players.iter().all(|player| player.events.iter().any(is_told))
    });
    let path = report.replay_path.unwrap();
    let verified = replay::verify(&path, 1, &mut |_, _| {}).unwrap();
    assert_eq!(verified.ticks, 240);
}

#[test]
fn a_full_disk_ends_no_battle() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    config.journal.failpoints = Failpoints::at(Failpoint::BeforeSync, 12, Fault::NoSpace);
    let mut server = open(config);
    let mut players = join(&mut server, 2);
    run_until(&mut server, &mut players, "the journal to die", |server, _| {
        server.journal().is_dead()
    });
    run_ticks(&mut server, &mut players, 60);
    assert!(players.iter().all(Player::is_playing));
    // Newcomers are let in: what they are told cannot be durable, and does not wait for it.
    let ready = server.ready().clone();
    players.push(Player::new(&ready, ticket(&ready, 400, 400)));
    all_play(&mut server, &mut players);
    let report = server.end(Ending::Stopped).unwrap();
    assert!(!report.journal_complete);
}

#[test]
fn a_disk_without_room_for_the_replay_costs_no_report() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    config.journal.failpoints = Failpoints::at(Failpoint::AfterEnd, 1, Fault::NoSpace);
    let mut server = open(config);
    let mut players = join(&mut server, 2);
    run_ticks(&mut server, &mut players, 10);
    let report = server.end(Ending::Stopped).expect("a report");
    assert_eq!((report.joins, report.replay_path, report.journal_complete), (2, None, false));
}

fn shards_and_threads_serve_alike(lane: LanePolicy) {
    let dir = tempdir().unwrap();
    let mut config = config_for(dir.path(), lane);
    (config.threads, config.shards) = (3, 4);
    let mut server = open(config);
    let mut players = join(&mut server, 8);
    run_ticks(&mut server, &mut players, 30);
    assert_eq!(server.connected(), 8);
    // The kernel hands sealed packets to the shard that opened their lane.
    let is_right =
        |player: &Player| player.client.stats().lane.is_sealed == (lane != LanePolicy::Quic);
    assert!(players.iter().all(is_right));
    let report = server.end(Ending::Stopped).unwrap();
    let verified = replay::verify(&report.replay_path.unwrap(), 1, &mut |_, _| {}).unwrap();
    assert_eq!(verified.state_hash, report.state_hash);
}

#[test]
fn nobody_is_told_what_a_crash_could_take_back() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    let slow = Fault::Slow(std::time::Duration::from_millis(250));
    config.journal.failpoints = Failpoints::at(Failpoint::BeforeSync, 2, slow);
    let mut server = open(config);
    let ready = server.ready().clone();
    let mut players = vec![Player::new(&ready, ticket(&ready, 1, 1))];
    let mut joined_at = None;
    run_until(&mut server, &mut players, "the welcome", |server, players| {
        let view = server.battle().view();
        if !view.soldiers.is_empty() && joined_at.is_none() {
            joined_at = Some(view.tick);
        }
        let welcomed = |event: &Event| matches!(event, Event::Welcomed { .. });
        players[0].events.iter().any(welcomed)
    });
    let joined_at = joined_at.expect("a soldier before its welcome");
    assert!(server.journal().durable() >= joined_at);
    assert!(server.battle().tick().0 > joined_at.0 + 6, "the battle did not wait for the disk");
}
