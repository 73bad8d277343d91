//! Keys of join tickets are exchanged while battles run.

use sortie_battle::BattleServerConfig;
use sortie_wire::close::CloseCode;
use tempfile::tempdir;
use uuid::Uuid;

use crate::control_plane::{self, ControlPlane};
use crate::fleet::{Running, base, door, fleet_config};
use crate::world::{Player, run_alone};

/// The steps of docs/operations.md, "Rotate a key", as a server sees them that stays registered:
/// the nodes are started anew, and their streams tell it the keys. It keeps them over a restart,
/// for battles that were ordered before.
#[test]
fn keys_of_join_tickets_are_exchanged_while_a_battle_runs() {
    let (old, new) = (control_plane::SEED, [77; 32]);
    let (dir, mut control_plane) = (tempdir().unwrap(), ControlPlane::start());
    let server = Running::start(fleet_config(&control_plane.url()), base(dir.path()));
    let door = door(&server.registered());
    let (battle, next) = (Uuid::from_u128(0x4e7), Uuid::from_u128(0x4e8));
    control_plane.open(battle, 0);
    control_plane.running(battle);
    control_plane.open(next, 0);
    let mut number = 0;
    let mut come = |battle, seed| {
        number += 1;
        let mut players =
            vec![Player::new(&door, control_plane::ticket_by(seed, battle, number, number))];
        run_alone(&mut players, "an answer", |players| {
            players[0].is_playing() || players[0].closed_by().is_some()
        });
        players[0].closed_by()
    };
    let unknown = Some(CloseCode::TicketKeyUnknown.number());
    assert_eq!((come(battle, old), come(battle, new)), (None, unknown), "before");
    for (seeds, of_old, of_new, step) in [
        (vec![old, new], None, None, "the new key is known"),
        (vec![new, old], None, None, "the new key signs"),
        (vec![new], unknown, None, "the old key is taken away"),
    ] {
        control_plane.go_away();
        control_plane.told().ticket_seeds = seeds;
        control_plane.come_back();
        // Once it is carried out, the keys that came before it count.
        let order = control_plane.say(battle, step);
        control_plane.wait(step, |told| (told.heartbeat.order_done >= order).then_some(()));
        assert_eq!((come(battle, old), come(battle, new)), (of_old, of_new), "{step}");
    }
    assert_eq!(control_plane.told().registers.len(), 1);

    control_plane.go_away();
    server.stop().unwrap();
    let again = BattleServerConfig { listen: door.listen, ..base(dir.path()) };
    let server = Running::start(fleet_config(&control_plane.url()), again);
    assert_eq!((come(next, old), come(next, new)), (unknown, None), "after a restart");
    server.stop().unwrap();
}
