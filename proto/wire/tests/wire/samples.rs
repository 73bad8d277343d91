//! One value of everything that travels, for golden files, tables and fuzz seeds.

use sortie_wire::{
    close::CloseCode,
    input::{InputCommand, InputDatagram, buttons},
    limits::{INPUT_BYTES_MAX, LANE_AES_128_GCM, LANE_CHACHA20_POLY1305, PROTOCOL_VERSION},
    message::{
        Blob, ClientMessage, Credential, FeedEntry, Hello, List, LoadStep, PlayerEntry, PointState,
        RoundState, ScoreEntry, ServerMessage, SpawnAt, Text, Welcome,
    },
    resume::{ResumeClaims, ResumeKey},
    snapshot::{HitMarker, SnapshotEncoder, SnapshotHeader, Sound, SoundKind, Tuning},
    state::{EntityState, SelfState, flags, status},
    ticket::{Ticket, TicketSigner},
};

/// The tick of the baseline that sample snapshots are coded against.
pub(crate) const BASELINE_TICK: u32 = 996;
/// When the sample ticket is still good: milliseconds since 1970.
pub(crate) const NOW_MS: u64 = 1_795_000_000_000;
pub(crate) const BATTLE_ID: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;

pub(crate) fn input() -> InputDatagram {
    let newest = InputCommand {
        tick: 1_006,
        move_right: 0,
        move_forward: 127,
        yaw: 16_384,
        pitch: -300,
        buttons: buttons::SPRINT,
        weapon_slot: 0,
        view_tick: 998,
    };
    let turned = InputCommand { tick: 1_005, yaw: 16_300, view_tick: 997, ..newest };
    let fired = InputCommand {
        tick: 1_004,
        pitch: 900,
        buttons: buttons::SPRINT | buttons::FIRE,
        weapon_slot: 1,
        view_tick: 995,
        ..turned
    };
    InputDatagram::new(1_000, u32::MAX << 4, &[newest, turned, fired]).unwrap()
}

pub(crate) fn own() -> SelfState {
    SelfState {
        status: status::ALIVE,
        class: 2,
        pos: [100.25, 12.5, 200.75],
        vel: [4.5, 0.0, -2.25],
        fall_from_y: 12.5,
        grounded: true,
        health_hp: 88,
        weapon: 3,
        ammo: 27,
        reserve: 120,
        grenades: 2,
        squad: Some(4),
        order: Some(1),
        ..SelfState::default()
    }
}

/// Two soldiers and a smoke cloud.
pub(crate) fn baseline() -> Vec<(u32, EntityState)> {
    let mut mate = EntityState {
        team: 0,
        class: 1,
        weapon: 3,
        yaw: 90 * 64,
        pitch: -2 * 64,
        flags: flags::GROUNDED,
        health: 15,
        ..EntityState::default()
    };
    mate.set_position_m([101.0, 12.0, 203.0]);
    let mut enemy = EntityState { team: 1, health: 0, ..mate };
    enemy.set_position_m([140.0, 13.0, 190.0]);
    let mut smoke = EntityState { kind: 4, radius_dm: 60, ..EntityState::default() };
    smoke.set_position_m([120.0, 11.0, 195.0]);
    vec![(3, mate), (17, enemy), (8_200, smoke)]
}

fn header(baseline: Option<u32>) -> SnapshotHeader {
    let tuning = Tuning { skip_bits: 0, moving: 1, resting: 3, turn: 2 };
    let tuning = if baseline.is_some() { tuning } else { Tuning::default() };
    SnapshotHeader {
        tick: 1_000,
        baseline,
        input_margin: 3,
        input_tick: 1_000,
        gap_bits: 3,
        tuning,
    }
}

/// A delta of the mate, a new grenade, the smoke removed; the enemy stays as it was.
pub(crate) fn snapshot() -> Vec<u8> {
    let known = baseline();
    let mut mate = known[0].1;
    mate.x += 33;
    mate.z -= 4;
    mate.yaw += 12 * 64;
    let mut grenade = EntityState { kind: 2, team: 1, vel: [10, 4, -20], ..known[2].1 };
    grenade.radius_dm = 0;
    let sounds = [Sound { kind: SoundKind::SHOT, direction: 64, distance: 6 }];
    let hits = [HitMarker { damage_hp: 34, headshot: true, downed: false }];
    let mut out = [0; 256];
    let header = header(Some(BASELINE_TICK));
    let mut encoder = SnapshotEncoder::new(&mut out, &header, &own(), &sounds, &hits).unwrap();
    encoder.delta(0, &known[0].1, &mate, header.tuning.scale(false)).unwrap();
    encoder.remove(1).unwrap();
    encoder.enter(8_201, &grenade).unwrap();
    let len = encoder.finish();
    out[..len].to_vec()
}

/// Everything of the baseline, coded without one, for a player who waits.
pub(crate) fn full_snapshot() -> Vec<u8> {
    let own = SelfState { spawns_at: Some(1_200), ..SelfState::default() };
    let mut out = [0; 256];
    let mut encoder = SnapshotEncoder::new(&mut out, &header(None), &own, &[], &[]).unwrap();
    for (id, state) in baseline() {
        encoder.enter(id, &state).unwrap();
    }
    let len = encoder.finish();
    out[..len].to_vec()
}

pub(crate) fn ticket() -> Ticket {
    Ticket {
        ticket_id: 0x1111_2222_3333_4444_5555_6666_7777_8888,
        player_key: 42,
        battle_id: BATTLE_ID,
        team: Some(1),
        class: 2,
        expires_at_ms: NOW_MS + 30_000,
        name: "Ada".into(),
        audience: "eu-1".into(),
    }
}

/// The first test seed of RFC 8032, section 7.1.
pub(crate) fn ticket_signer() -> TicketSigner {
    TicketSigner::from_seed([
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ])
}

pub(crate) fn ticket_bytes() -> Vec<u8> {
    ticket_signer().sign(&ticket()).unwrap()
}

pub(crate) fn resume_token() -> Vec<u8> {
    let claims = ResumeClaims { battle_id: BATTLE_ID, slot: 7, player_key: 42 };
    ResumeKey::new(&[7; 32]).issue(&claims).to_vec()
}

pub(crate) fn welcome() -> Welcome {
    Welcome {
        version: PROTOCOL_VERSION,
        battle_id: BATTLE_ID,
        incarnation: 5,
        slot: 7,
        team: 1,
        tick: 990,
        tick_hz: 60,
        snapshot_interval_ticks: 1,
        grace_s: 30,
        resumed: false,
        load: LoadStep::Normal,
        resume_token: Blob::new(resume_token()).unwrap(),
        map: Text::new("name = \"plain\"\n").unwrap(),
        rules: Text::new("tick_hz = 60\n").unwrap(),
    }
}

/// Every kind of message that a client sends.
pub(crate) fn client_messages() -> Vec<(&'static str, ClientMessage)> {
    let hello = |lanes, credential| {
        ClientMessage::Hello(Hello { version: PROTOCOL_VERSION, lanes, credential })
    };
    let ticket = Credential::Ticket(Blob::new(ticket_bytes()).unwrap());
    let token = Credential::Resume(Blob::new(resume_token()).unwrap());
    vec![
        ("hello_ticket", hello(0, ticket)),
        ("hello_resume", hello(LANE_AES_128_GCM | LANE_CHACHA20_POLY1305, token)),
        ("spawn_base", ClientMessage::Spawn { at: SpawnAt::Base, class: 0 }),
        ("spawn_point", ClientMessage::Spawn { at: SpawnAt::Point(2), class: 3 }),
        ("spawn_squad", ClientMessage::Spawn { at: SpawnAt::Squad, class: 1 }),
        ("give_up", ClientMessage::GiveUp),
        ("join_squad", ClientMessage::JoinSquad),
        ("leave_squad", ClientMessage::LeaveSquad),
        ("squad_order", ClientMessage::SquadOrder { point: 4 }),
        ("spot", ClientMessage::Spot),
        ("ping", ClientMessage::Ping { nonce: 0x0102_0304_0506_0708 }),
        ("leave", ClientMessage::Leave),
    ]
}

/// Every kind of message that a server sends.
pub(crate) fn server_messages() -> Vec<(&'static str, ServerMessage)> {
    let feed = vec![
        FeedEntry::Downed {
            tick: 995,
            victim: 17,
            killer: Some(7),
            weapon: Some(3),
            headshot: true,
        },
        FeedEntry::Downed { tick: 996, victim: 18, killer: None, weapon: None, headshot: false },
        FeedEntry::Revived { tick: 997, victim: 17, medic: 300 },
        FeedEntry::Died { tick: 998, victim: 18 },
        FeedEntry::PointOwner { tick: 999, point: 2, owner: Some(1) },
    ];
    let player = |slot, name| PlayerEntry {
        slot,
        team: (slot % 2) as u8,
        squad: Some(slot / 4),
        connected: true,
        name: Text::new(name).unwrap(),
    };
    let score = ScoreEntry { slot: 7, points: 1_250, kills: 9, deaths: 300, ..Default::default() };
    let round = RoundState {
        tick: 1_000,
        tickets: [200, 187],
        points: List::new([
            PointState { owner: Some(0), progress: -100, inside: [2, 0] },
            PointState { owner: None, progress: 35, inside: [1, 3] },
        ])
        .unwrap(),
        time_left_s: Some(1_799),
    };
    let leaving = CloseCode::ShuttingDown;
    vec![
        ("welcome", ServerMessage::Welcome(Box::new(welcome()))),
        ("round_state", ServerMessage::RoundState(round)),
        ("kill_feed", ServerMessage::KillFeed(List::new(feed).unwrap())),
        (
            "player_list",
            ServerMessage::PlayerList(List::new([player(7, "Ada"), player(8, "Bé")]).unwrap()),
        ),
        ("score_board", ServerMessage::ScoreBoard(List::new([score]).unwrap())),
        ("player_left", ServerMessage::PlayerLeft { slot: 17 }),
        ("load_step", ServerMessage::LoadStep(LoadStep::HalfRate)),
        ("round_ended", ServerMessage::RoundEnded { winner: Some(1), tick: 54_000 }),
        (
            "leaving",
            ServerMessage::Leaving {
                code: leaving.number(),
                text: Text::new(leaving.text()).unwrap(),
            },
        ),
        ("pong", ServerMessage::Pong { nonce: 0x0102_0304_0506_0708, tick: 1_001 }),
        ("sealed_lane", ServerMessage::SealedLane { session: 0x1122_3344, suite: 1 }),
        ("notice", ServerMessage::Notice { text: Text::new("back in five minutes").unwrap() }),
    ]
}

/// Every sample as bytes, by the name of its golden file.
pub(crate) fn all_bytes() -> Vec<(String, Vec<u8>)> {
    let mut out = [0; INPUT_BYTES_MAX];
    let mut samples = vec![
        ("input".to_owned(), input().encode(&mut out).to_vec()),
        ("snapshot".to_owned(), snapshot()),
        ("snapshot_full".to_owned(), full_snapshot()),
        ("ticket".to_owned(), ticket_bytes()),
        ("resume_token".to_owned(), resume_token()),
    ];
    for (name, message) in client_messages() {
        samples.push((format!("client_{name}"), message.encode().unwrap()));
    }
    for (name, message) in server_messages() {
        samples.push((format!("server_{name}"), message.encode().unwrap()));
    }
    samples
}
