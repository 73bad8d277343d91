//! A battle server of a fleet: orders, kicks, results, and a control plane that comes and goes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use sortie_battle::fleet::{self, FleetConfig, FleetEvent, Registered, Secret};
use sortie_battle::replay;
use sortie_battle::ticket_clock::TicketClock;
use sortie_battle::{BattleReport, BattleServerConfig, Ready};
use sortie_client::Event;
use sortie_wire::close::CloseCode;
use sortie_wire::message::ServerMessage;
use tempfile::tempdir;
use uuid::Uuid;

use crate::control_plane::{self, ControlPlane, SECRET};
use crate::world::{PATIENCE, Player, config, run_alone};

/// A battle server of a fleet on a thread of its own.
pub(crate) struct Running {
    thread: Option<JoinHandle<anyhow::Result<()>>>,
    stop: Arc<AtomicBool>,
    registered: Receiver<Registered>,
    reports: Arc<Mutex<Vec<BattleReport>>>,
}

pub(crate) fn fleet_config(url: &str) -> FleetConfig {
    let config = FleetConfig::new(url, Secret::new(SECRET).unwrap(), "test-1").unwrap();
    FleetConfig { farewell: Duration::from_secs(2), ..config }
}

/// Slow ticks: a loaded machine must not look like a slow server.
pub(crate) fn base(dir: &Path) -> BattleServerConfig {
    let mut base = config(dir);
    base.rules.tick_hz = 30;
    base
}

impl Running {
    pub(crate) fn start(fleet: FleetConfig, base: BattleServerConfig) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, registered) = channel();
        let reports = Arc::new(Mutex::new(Vec::new()));
        let (flag, kept) = (Arc::clone(&stop), Arc::clone(&reports));
        let on_event = move |event: FleetEvent<'_>| match event {
            FleetEvent::Registered(known) => drop(tell.send(known.clone())),
            FleetEvent::Begun(_) => {}
            FleetEvent::Report(report) => kept.lock().unwrap().push(report.clone()),
        };
        let thread = std::thread::spawn(move || fleet::run(fleet, base, &flag, on_event));
        Self { thread: Some(thread), stop, registered, reports }
    }

    pub(crate) fn registered(&self) -> Registered {
        self.registered.recv_timeout(PATIENCE).expect("registered in time")
    }

    pub(crate) fn reports(&self) -> Vec<BattleReport> {
        self.reports.lock().unwrap().clone()
    }

    /// As SIGTERM does.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }

    /// Waits until it ends by itself.
    pub(crate) fn join(mut self) -> anyhow::Result<()> {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What a client must know to connect.
pub(crate) fn door(registered: &Registered) -> Ready {
    Ready {
        listen: registered.listen,
        fingerprint: registered.fingerprint.clone(),
        ops: None,
        battle_id: String::new(),
        data_dir: registered.data_dir.clone(),
        dev_ticket_key: None,
        resumed: false,
        tick: 0,
        incarnation: registered.incarnation,
    }
}

pub(crate) fn join(door: &Ready, battle: Uuid, players: &[u128]) -> Vec<Player> {
    let ticket = |player| control_plane::ticket(battle, 1_000 + player, player);
    let mut players: Vec<Player> =
        players.iter().map(|player| Player::new(door, ticket(*player))).collect();
    run_alone(&mut players, "all to play", |players| players.iter().all(Player::is_playing));
    players
}

fn all_closed(players: &mut [Player], code: CloseCode) {
    run_alone(players, "all to be sent off", |players| {
        players.iter().all(|player| player.closed_by() == Some(code.number()))
    });
}

fn id(player: u128) -> String {
    Uuid::from_u128(player).to_string()
}

#[test]
fn two_battles_run_one_after_the_other_on_one_port() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    let registered = server.registered();
    let door = door(&registered);
    {
        let told = control_plane.told();
        let request = &told.registers[0];
        assert_eq!((&*request.name, &*request.address), ("test-1", &*door.listen.to_string()));
        assert_eq!(HEXLOWER.encode(&request.fingerprint), door.fingerprint);
        assert_eq!((request.battles_max, request.players_max), (1, 16));
    }
    let (first, second) = (Uuid::from_u128(0xa1), Uuid::from_u128(0xa2));
    control_plane.open(first, 0);
    control_plane.running(first);
    let mut players = join(&door, first, &[1, 2, 3]);
    control_plane.wait("a status with players", |told| {
        let status = told.heartbeat.battles.first()?;
        (status.players == 3 && status.tick_hz == 30 && !status.regions.is_empty()).then_some(())
    });
    control_plane.say(first, "back in five minutes");
    run_alone(&mut players, "the notice", |players| {
        players.iter().all(|player| player.events.iter().any(is_notice))
    });
    control_plane.end(first);
    all_closed(&mut players, CloseCode::RoundOver);
    let result = control_plane.result(first);
    assert_eq!((&*result.ended_by, result.tick_hz, result.winner), ("operator", 30, None));
    let rows: Vec<(&str, u32)> =
        result.players.iter().map(|row| (&*row.player_id, row.team)).collect();
    assert_eq!(rows, [(&*id(1), 1), (&*id(2), 0), (&*id(3), 1)]);
    assert!(result.players.iter().all(|row| row.joined_tick > 0 && row.left_tick.is_none()));
    assert_eq!(result.events.iter().filter(|event| event.kind == "joined").count(), 3);
    let path = dir.path().join("replays").join(result.replay.as_ref().unwrap().place.clone());
    let verified = replay::verify(&path, 1, &mut |_, _| {}).unwrap();
    assert_eq!((verified.state_hash, verified.ticks), (result.state_hash, result.last_tick));
    assert_eq!(result.replay.unwrap().bytes, std::fs::metadata(&path).unwrap().len());

    // The second ends by the clock.
    control_plane.open(second, 2);
    control_plane.running(second);
    let mut players = join(&door, second, &[2, 4]);
    all_closed(&mut players, CloseCode::RoundOver);
    let result = control_plane.result(second);
    assert_eq!((&*result.ended_by, result.last_tick), ("duration", 60));
    assert_eq!(result.players.len(), 2);
    let drained = control_plane.drain();
    control_plane.done(drained);
    let reports = server.reports();
    server.join().unwrap();
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0].battle_id, format!("{:032x}", first.as_u128()));
    let left = |name| std::fs::read_dir(dir.path().join(name)).unwrap().count();
    assert_eq!((left("battles"), left("replays")), (0, 2));
    assert_eq!(control_plane.told().reports.len(), 2, "each was reported once");
}

fn is_notice(event: &Event) -> bool {
    matches!(event, Event::Message(ServerMessage::Notice { text })
        if text.as_str() == "back in five minutes")
}

#[test]
fn who_is_kicked_is_out_within_a_second_and_stays_out() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    let door = door(&server.registered());
    let battle = Uuid::from_u128(0xb1);
    control_plane.open(battle, 0);
    control_plane.running(battle);
    let mut players = join(&door, battle, &[1, 2]);
    let spare = control_plane::ticket(battle, 77, 1);
    let asked_at = Instant::now();
    let order = control_plane.kick(1, "be kind");
    run_alone(&mut players, "the kick", |players| players[0].closed_by().is_some());
    let took = asked_at.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(players[0].closed_by(), Some(CloseCode::Kicked.number()));
    assert!(players[1].is_playing());
    control_plane.done(order);
    let gone = control_plane
        .wait("the departure", |told| told.heartbeat.battles.first()?.gone.first().cloned());
    assert!(gone.player_id == id(1) && gone.tick > 0, "{gone:?}");
    // A ticket from before the kick is no way back.
    players[0] = Player::new(&door, spare);
    run_alone(&mut players, "the way back to be shut", |players| players[0].closed_by().is_some());
    assert_eq!(players[0].closed_by(), Some(CloseCode::Kicked.number()));
    control_plane.end(battle);
    let result = control_plane.result(battle);
    assert_eq!(result.players.len(), 2, "who left keeps the row");
    let row = result.players.iter().find(|row| row.player_id == id(1)).unwrap();
    assert!(row.left_tick.is_some_and(|left| left > row.joined_tick));
    server.stop().unwrap();
}

/// In the journal of the running battle, in the replay that it becomes, and in those of before.
#[test]
fn an_erased_players_name_is_in_no_journal_and_no_replay() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    let door = door(&server.registered());
    let battle = Uuid::from_u128(0xb7);
    control_plane.open(battle, 0);
    control_plane.running(battle);
    // Whoever plays was let in, and that is on the disk.
    let players = join(&door, battle, &[1, 2, 3]);
    let journal = format!("battles/{:032x}/battle.journal", battle.as_u128());
    let names = |path: &Path| {
        let info = replay::info(path).unwrap();
        info.players.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(names(&dir.path().join(&journal)).len(), 3);
    control_plane.done(control_plane.erase(1));
    let mut left = names(&dir.path().join(&journal));
    left.sort_unstable();
    assert_eq!(left, ["player 2", "player 3"]);
    drop(players);
    control_plane.end(battle);
    let place = control_plane.result(battle).replay.unwrap().place;
    let path = dir.path().join("replays").join(place);
    control_plane.done(control_plane.erase(2));
    assert_eq!(names(&path), ["player 3"]);
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(8).any(|eight| eight == b"player 1" || eight == b"player 2"));
    replay::verify(&path, 1, &mut |_, _| {}).unwrap();
    server.stop().unwrap();
}

#[test]
fn a_battle_that_nobody_is_in_ends_and_one_with_players_goes_on() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let empty_after = Duration::from_millis(1_500);
    let config =
        FleetConfig { empty_after: Some(empty_after), ..fleet_config(&control_plane.url()) };
    let server = Running::start(config, base(dir.path()));
    let door = door(&server.registered());
    let (nobody, left) = (Uuid::from_u128(0xa7), Uuid::from_u128(0xa8));
    control_plane.open(nobody, 0);
    let result = control_plane.result(nobody);
    assert_eq!((&*result.ended_by, result.players.len()), ("stopped", 0));
    // Players keep the next one: for longer than an empty one lasts.
    control_plane.open(left, 0);
    control_plane.running(left);
    let mut players = join(&door, left, &[1, 2]);
    let stayed_until = Instant::now() + 2 * empty_after;
    run_alone(&mut players, "them to have stayed", |_| Instant::now() >= stayed_until);
    assert!(players.iter().all(Player::is_playing));
    drop(players);
    let result = control_plane.result(left);
    assert_eq!((&*result.ended_by, result.players.len()), ("stopped", 2));
    let path = dir.path().join("replays").join(result.replay.unwrap().place);
    let verified = replay::verify(&path, 1, &mut |_, _| {}).unwrap();
    assert_eq!((verified.state_hash, verified.ticks), (result.state_hash, result.last_tick));
    server.stop().unwrap();
}

#[test]
fn a_control_plane_that_is_away_costs_the_battle_nothing() {
    let (dir, mut control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    let door = door(&server.registered());
    let battle = Uuid::from_u128(0xc1);
    control_plane.open(battle, 4);
    control_plane.running(battle);
    let mut players = join(&door, battle, &[1, 2]);
    control_plane.go_away();
    // The battle ends by its clock while nobody can be told.
    all_closed(&mut players, CloseCode::RoundOver);
    let deadline = Instant::now() + PATIENCE;
    while server.reports().is_empty() {
        assert!(Instant::now() < deadline, "no report");
        std::thread::yield_now();
    }
    let report = server.reports().remove(0);
    assert_eq!((report.ticks, report.last_tick), (120, 120));
    println!("{} overruns in {} ticks", report.tick_overruns, report.ticks);
    assert!(report.tick_overruns <= 6, "{} overruns", report.tick_overruns);
    control_plane.come_back();
    assert_eq!(control_plane.result(battle).players.len(), 2);
    server.stop().unwrap();
}

#[test]
fn a_server_moves_to_another_node_within_a_heartbeat_and_stays_there() {
    let (dir, mut first) = (tempdir().unwrap(), ControlPlane::start());
    let (mut second, third) = (first.node(1), first.node(2));
    let addresses = [first.url(), second.url(), third.url()].join(",");
    let server = Running::start(fleet_config(&addresses), base(dir.path()));
    server.registered();
    let battle = Uuid::from_u128(0xc7);
    third.open(battle, 0);
    third.running(battle);
    assert_eq!(third.told().served_by, [0]);
    let lost = Instant::now();
    first.go_away();
    third.wait("the second node", |told| (told.served_by == [0, 1]).then_some(()));
    let took = lost.elapsed();
    // 100 ms between heartbeats here; a connection and the machine take some, too.
    assert!(took < Duration::from_millis(400), "{took:?}");
    // The first one is there again; the good one is kept.
    first.come_back();
    let heartbeats = third.told().heartbeats;
    third.wait("heartbeats", |told| (told.heartbeats >= heartbeats + 5).then_some(()));
    assert_eq!(third.told().served_by, [0, 1]);
    second.go_away();
    third.wait("the third node", |told| (told.served_by == [0, 1, 2]).then_some(()));
    assert_eq!(third.told().registers.len(), 1, "all nodes know it by one registration");
    third.end(battle);
    assert_eq!(third.result(battle).epoch, 1);
    server.stop().unwrap();
}

#[test]
fn a_server_that_is_not_known_any_more_registers_again() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    server.registered();
    let battle = Uuid::from_u128(0xd1);
    control_plane.open(battle, 0);
    control_plane.running(battle);
    control_plane.told().forgets_servers = true;
    let listed = control_plane
        .wait("the second registration", |told| Some(told.registers.get(1)?.battles.clone()));
    assert_eq!(listed, [battle.to_string()]);
    control_plane
        .wait("heartbeats of the new epoch", |told| (told.heartbeat.epoch == 2).then_some(()));
    control_plane.end(battle);
    assert_eq!(control_plane.result(battle).epoch, 2);
    server.stop().unwrap();
}

/// The secret brings a server in; from then on it shows what it was given, and after a restart it
/// proves to be the same.
#[test]
fn a_server_shows_its_own_credential_and_keeps_its_identity() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let battle = Uuid::from_u128(0xe1);
    for start in 1..=2 {
        let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
        server.registered();
        if start == 1 {
            control_plane.open(battle, 1);
        }
        control_plane.result(battle);
        server.stop().unwrap();
    }
    let told = control_plane.told();
    let identities: Vec<_> = told.registers.iter().map(|request| &request.identity).collect();
    assert_eq!((identities.len(), identities[0].len()), (2, 32));
    assert_eq!(identities[0], identities[1], "it is the same after a restart");
    assert!(told.shown.iter().all(|shown| shown.starts_with("credential of")), "{:?}", told.shown);
    let other = tempdir().unwrap();
    let store = sortie_battle::store::Store::open(other.path()).unwrap();
    assert_ne!(store.key("fleet-identity").unwrap()[..], identities[0][..], "nobody else has it");
}

#[test]
fn a_control_plane_of_before_credentials_is_shown_the_secret() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    control_plane.set_old();
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    server.registered();
    let battle = Uuid::from_u128(0xe2);
    control_plane.open(battle, 1);
    control_plane.result(battle);
    server.stop().unwrap();
    assert!(control_plane.told().shown.iter().all(|shown| shown == SECRET));
}

/// The keys of the control plane are new: what was given before is worth nothing.
#[test]
fn a_server_whose_credential_is_not_taken_registers_again() {
    let (dir, mut control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    server.registered();
    control_plane.wait("a heartbeat", |told| (told.heartbeats > 0).then_some(()));
    control_plane.go_away();
    control_plane.renew_credentials();
    control_plane.come_back();
    control_plane.wait("another registration", |told| (told.registers.len() == 2).then_some(()));
    let battle = Uuid::from_u128(0xe3);
    control_plane.open(battle, 1);
    control_plane.result(battle);
    server.stop().unwrap();
}

#[test]
fn a_result_that_is_refused_for_its_epoch_waits_for_the_next_registration() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    server.registered();
    // As when the answer to a registration was lost: the epoch is over, and the server has not
    // heard of the next one yet.
    control_plane.told().refuses = Some("ranking.old_epoch: the server has registered anew");
    let (first, second) = (Uuid::from_u128(0xd5), Uuid::from_u128(0xd6));
    // The second result makes the first one be tried again, under the same epoch.
    control_plane.open(first, 1);
    control_plane.open(second, 1);
    control_plane.wait("a second refusal", |told| {
        let first = first.to_string();
        let tries = told.reports.iter().filter(|report| report.battle_id == first).count();
        (tries >= 2).then_some(())
    });
    {
        let mut told = control_plane.told();
        told.refuses = None;
        told.forgets_servers = true;
    }
    for battle in [first, second] {
        assert_eq!(control_plane.result(battle).epoch, 2);
    }
    assert_eq!(std::fs::read_dir(dir.path().join("spool/refused")).unwrap().count(), 0);
    server.stop().unwrap();
}

#[test]
fn a_ticket_for_another_server_opens_nothing() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    let door = door(&server.registered());
    let battle = Uuid::from_u128(0xd9);
    control_plane.open(battle, 0);
    control_plane.running(battle);
    let elsewhere = control_plane::ticket_for("test-2", battle, 1, 1);
    let mut players = vec![Player::new(&door, elsewhere)];
    all_closed(&mut players, CloseCode::TicketWrongBattle);
    join(&door, battle, &[1]);
    server.stop().unwrap();
}

/// The machine's clock is wrong, and the control plane says so: by an hour, either way.
#[test]
fn join_tickets_are_judged_by_the_clock_of_who_issues_them() {
    for ahead_ms in [3_600_000, -3_600_000_i64] {
        let dir = tempdir().unwrap();
        let control_plane = ControlPlane::start();
        control_plane.told().ahead_ms = Some(ahead_ms);
        let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
        let door = door(&server.registered());
        let battle = Uuid::from_u128(0xc10c);
        control_plane.open(battle, 600);
        control_plane.running(battle);
        let ticket_of = |left_ms: i64, player| {
            let now_ms = TicketClock::by_wall().now_ms().saturating_add_signed(ahead_ms);
            let until_ms = now_ms.saturating_add_signed(left_ms);
            control_plane::ticket_until(until_ms, "test-1", battle, player, player)
        };
        let mut players = vec![Player::new(&door, ticket_of(20_000, 1))];
        run_alone(&mut players, "the good ticket", |players| players[0].is_playing());
        players.push(Player::new(&door, ticket_of(-10_000, 2)));
        run_alone(&mut players, "the old one's end", |players| players[1].closed_by().is_some());
        assert_eq!(players[1].closed_by(), Some(CloseCode::TicketExpired.number()), "{ahead_ms}");
        server.stop().unwrap();
    }
}

#[test]
fn sigterm_ends_the_battle_and_reports_it_or_leaves_it_for_the_next_start() {
    let (dir, mut control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    let door_1 = door(&server.registered());
    let (first, second) = (Uuid::from_u128(0xe1), Uuid::from_u128(0xe2));
    control_plane.open(first, 0);
    control_plane.running(first);
    let mut players = join(&door_1, first, &[1]);
    let stopped = std::thread::spawn(move || server.stop());
    all_closed(&mut players, CloseCode::ShuttingDown);
    stopped.join().unwrap().unwrap();
    assert_eq!(control_plane.told().stored[&first.to_string()].ended_by, "stopped");

    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    server.registered();
    control_plane.open(second, 0);
    control_plane.running(second);
    control_plane.go_away();
    server.stop().unwrap();
    assert_eq!(control_plane.told().stored.len(), 1);
    control_plane.come_back();
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    assert_eq!(control_plane.result(second).epoch, 3);
    server.stop().unwrap();
}

#[test]
fn what_cannot_be_opened_is_refused_and_what_is_refused_is_kept() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    control_plane.told().refuses = Some("ranking.unknown_battle: the battle is not known");
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    server.registered();
    let (bad, good) = (Uuid::from_u128(0xf1), Uuid::from_u128(0xf2));
    control_plane.order(sortie_rpc::fleet::v1::order::What::Open(
        sortie_rpc::fleet::v1::OpenBattle {
            battle_id: bad.to_string(),
            mode: "walk".to_owned(),
            map: "../../etc/passwd".to_owned(),
            players_max: 16,
            duration_s: 0,
        },
    ));
    let why = control_plane.wait("the refusal", |told| {
        told.heartbeat.refused.iter().find(|one| one.battle_id == bad.to_string()).cloned()
    });
    assert!(why.why.contains("passwd"), "{}", why.why);
    control_plane.open(good, 1);
    let refused = dir.path().join("spool/refused");
    let deadline = Instant::now() + PATIENCE;
    while std::fs::read_dir(&refused).unwrap().count() == 0 {
        assert!(Instant::now() < deadline, "nothing was set aside");
        std::thread::yield_now();
    }
    server.stop().unwrap();
}

#[test]
fn over_tls_only_a_control_plane_with_the_right_certificate_is_believed() {
    let (dir, (control_plane, certificate)) = (tempdir().unwrap(), ControlPlane::start_with_tls());
    let (_other, foreign) = ControlPlane::start_with_tls();
    let mut config = fleet_config(&control_plane.url());
    for roots in [None, Some("no certificate".to_owned())] {
        config.roots = roots;
        let server = Running::start(config.clone(), base(dir.path()));
        assert!(server.join().is_err(), "without roots nobody can be believed");
    }
    config.roots = Some(foreign);
    let server = Running::start(config.clone(), base(dir.path()));
    let refused = server.registered.recv_timeout(Duration::from_secs(1));
    assert!(refused.is_err() && control_plane.told().registers.is_empty());
    server.stop().unwrap();
    config.roots = Some(certificate);
    let server = Running::start(config, base(dir.path()));
    server.registered();
    let battle = Uuid::from_u128(0x71);
    control_plane.open(battle, 0);
    control_plane.running(battle);
    control_plane.end(battle);
    assert_eq!(control_plane.result(battle).ended_by, "operator");
    server.stop().unwrap();
}
