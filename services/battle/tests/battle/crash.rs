//! Battle servers of a fleet that are killed: in the middle of a battle, and between any two steps
//! from its end to the receipt. The killed are real processes: this test program, started again.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use data_encoding::HEXLOWER;
use sortie_battle::failpoint::ENVIRONMENT;
use sortie_battle::{Ready, fleet};
use sortie_client::Event;
use sortie_wire::close::CloseCode;
use tempfile::tempdir;
use uuid::Uuid;

use crate::control_plane::ControlPlane;
use crate::fleet::{Running, base, door, fleet_config, join};
use crate::world::{PATIENCE, Player, run_alone};

/// Tells the process what to be: URL, data directory and address to listen at.
const CHILD: &str = "SORTIE_TEST_FLEET_SERVER";

#[test]
fn is_a_server_when_started_as_one() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let told: Vec<&str> = told.split('|').collect();
    let mut base = base(Path::new(told[1]));
    base.listen = told[2].parse().unwrap();
    fleet::run(fleet_config(told[0]), base, &AtomicBool::new(false), |_| {}).unwrap();
}

/// A battle server in a process of its own; killed when dropped.
struct Process(Child);

impl Process {
    fn start(control_plane: &ControlPlane, dir: &Path, listen: &str, failpoints: &str) -> Self {
        let told = format!("{}|{}|{listen}", control_plane.url(), dir.display());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::is_a_server_when_started_as_one", "--exact", "--nocapture"])
            .env(CHILD, told)
            .env(ENVIRONMENT, failpoints)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// As SIGKILL does.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn wait_for_death(mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it lives on");
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What a client must know, from what the server told when it registered.
fn registered(control_plane: &ControlPlane, time: usize) -> Ready {
    let request = control_plane.wait("a registration", |told| told.registers.get(time).cloned());
    Ready {
        listen: request.address.parse::<SocketAddr>().unwrap(),
        fingerprint: HEXLOWER.encode(&request.fingerprint),
        ops: None,
        battle_id: String::new(),
        data_dir: "".into(),
        dev_ticket_key: None,
        resumed: false,
        tick: 0,
        incarnation: 0,
    }
}

#[test]
fn a_killed_server_takes_its_battle_up_and_reports_all_of_it() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Process::start(&control_plane, dir.path(), "127.0.0.1:0", "");
    let door = registered(&control_plane, 0);
    let battle = Uuid::from_u128(0x11);
    control_plane.open(battle, 0);
    control_plane.running(battle);
    let mut players = join(&door, battle, &[1, 2, 3]);
    let seen = |count| {
        let told = control_plane.told();
        told.heartbeat.battles.first().is_some_and(|status| status.players == count)
    };
    // Driven all the time: a client that stood still has no time left to say that it goes.
    run_alone(&mut players, "all to be seen", |_| seen(3));
    players[2].client.leave(Instant::now());
    run_alone(&mut players, "one to be gone", |_| seen(2));
    // What was acknowledged is durable, and with it all that was before.
    let order = control_plane.kick(99, "");
    run_alone(&mut players, "an order to be done", |_| {
        control_plane.told().heartbeat.order_done >= order
    });
    server.kill();

    let again = Process::start(&control_plane, dir.path(), &door.listen.to_string(), "");
    let listed =
        control_plane.wait("the second registration", |told| told.registers.get(1).cloned());
    assert_eq!(listed.battles, [battle.to_string()]);
    let mut gone = vec![players.pop().unwrap()];
    run_alone(&mut players, "all to come back", |players| {
        let restarted = |event: &Event| matches!(event, Event::Welcomed { restarted: true, .. });
        players.iter().all(|player| player.events.iter().any(restarted) && player.is_playing())
    });
    control_plane.end(battle);
    let result = control_plane.result(battle);
    assert_eq!((result.epoch, result.players.len()), (2, 3));
    assert!(result.players[2].left_tick.is_some(), "before the crash, and still known");
    assert!(result.players[..2].iter().all(|row| row.left_tick.is_none() && row.joined_tick > 0));
    let of = |kind: &str| result.events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((of("joined"), of("left")), (3, 1));
    gone.clear();
    again.kill();
}

#[test]
fn no_death_between_the_end_and_the_receipt_loses_or_doubles_a_result() {
    let points = [
        "after-end",
        "spool-written",
        "spool-synced",
        "spool-renamed",
        "after-spool",
        "spool-reported",
    ];
    for point in points {
        let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
        let faults = format!("{point}:1:kill");
        let server = Process::start(&control_plane, dir.path(), "127.0.0.1:0", &faults);
        let door = registered(&control_plane, 0);
        let battle = Uuid::from_u128(0x21);
        control_plane.open(battle, 1);
        control_plane.running(battle);
        let players = join(&door, battle, &[1]);
        server.wait_for_death();
        drop(players);
        let again = Process::start(&control_plane, dir.path(), "127.0.0.1:0", "");
        registered(&control_plane, 1);
        let result = control_plane.result(battle);
        assert_eq!((&*result.ended_by, result.last_tick), ("duration", 30), "{point}");
        assert_eq!(result.players.len(), 1, "{point}");
        let waiting = |name: &str| std::fs::read_dir(dir.path().join(name)).unwrap().count();
        let deadline = Instant::now() + PATIENCE;
        // Beside the folders of what was set aside.
        while waiting("spool") > 2 || waiting("battles") > 0 {
            assert!(Instant::now() < deadline, "{point}: something is left");
            std::thread::yield_now();
        }
        assert_eq!((waiting("spool/refused"), waiting("spool/torn")), (0, 0), "{point}");
        for report in &control_plane.told().reports {
            let same =
                sortie_rpc::ranking::v1::ReportRequest { epoch: result.epoch, ..report.clone() };
            assert_eq!(same, result, "{point}: told twice, it is the same");
        }
        assert_eq!(control_plane.told().stored.len(), 1, "{point}");
        drop(again);
    }
}

#[test]
fn a_battle_that_is_to_be_forgotten_ends_without_a_result() {
    let (dir, control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    let door = door(&server.registered());
    let (forgotten, next) = (Uuid::from_u128(0x31), Uuid::from_u128(0x32));
    control_plane.open(forgotten, 0);
    control_plane.running(forgotten);
    let mut players: Vec<Player> = join(&door, forgotten, &[1]);
    {
        let mut told = control_plane.told();
        told.forget = vec![forgotten.to_string()];
        told.forgets_servers = true;
    }
    run_alone(&mut players, "to be sent off", |players| players[0].closed_by().is_some());
    assert_eq!(players[0].closed_by(), Some(CloseCode::ShuttingDown.number()));
    // The order to open it is not obeyed again, and the next battle finds the place empty.
    control_plane.open(next, 1);
    assert_eq!(control_plane.result(next).ended_by, "duration");
    assert_eq!(control_plane.told().stored.len(), 1);
    server.stop().unwrap();
}
