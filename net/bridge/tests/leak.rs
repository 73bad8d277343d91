//! No byte sent to a client tells what its player could not know.
//!
//! Everything sent to several clients over a battle is decoded and compared with the simulation's
//! offline oracle, which looks along every line of sight. Planted leaks must be found.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use sortie_bridge::{frame::publish, input::input_command, lens::Lens, noise::Noises};
use sortie_field::{Field, Map};
use sortie_session::{
    client::{ClientSession, SnapshotVerdict},
    delta_cache::DeltaCache,
    history::FrameHistory,
    server::{ServerSession, SessionConfig},
};
use sortie_sim::{
    Battle, BattleSetup,
    command::{Action, Command, SpawnAt},
    config::{Mode, SimConfig},
    id::{Class, EntityId, PlayerKey, PlayerSlot},
    interest::{Visibility, VisibleSet, oracle::oracle_may_know},
    view::{Status, View},
};
use sortie_wire::{
    input::{InputCommand, buttons},
    limits::{DATAGRAM_BYTES_MAX, INPUT_BYTES_MAX},
    message::LoadStep,
    state::{EntityState, flags},
};

const PLAYERS: u16 = 64;
const CLIENTS: u16 = 8;
const TICKS: u32 = 900;

/// What somebody might do wrong on the way from the world to the wire.
#[derive(Clone, Copy, PartialEq)]
enum Planted {
    Nothing,
    /// Interest is left out: everybody is told of everybody.
    Everybody,
    /// One enemy more than allowed, in one tick of a hundred.
    OneInAHundredTicks,
    /// Clients read the other team's view.
    WrongFace,
}

/// What clients learnt that they should not have.
#[derive(Debug, Default, PartialEq)]
struct Leaks {
    /// (tick, client, entity): the player could not know of it.
    entities: Vec<(u32, u16, u32)>,
    /// An enemy's health, or a mark that was not for this team.
    secrets: u32,
    /// Sets compared.
    checked: u32,
    /// Enemies among all that was told.
    enemies_told: u32,
}

#[test]
fn nothing_leaks() {
    let leaks = play(Planted::Nothing);
    assert_eq!(leaks.entities, []);
    assert_eq!(leaks.secrets, 0);
    assert!(leaks.checked > TICKS * u32::from(CLIENTS) / 2, "{}", leaks.checked);
    assert!(leaks.enemies_told > 1_000, "enemies met: {}", leaks.enemies_told);
}

#[test]
fn a_planted_leak_of_positions_is_found() {
    assert!(play(Planted::Everybody).entities.len() > 1_000);
    assert!(!play(Planted::OneInAHundredTicks).entities.is_empty());
}

#[test]
fn a_planted_leak_of_health_is_found() {
    assert!(play(Planted::WrongFace).secrets > 0);
}

struct Client {
    slot: PlayerSlot,
    server: ServerSession,
    session: ClientSession,
    lens: Lens,
}

fn play(planted: Planted) -> Leaks {
    let field = Arc::new(Field::new(Map::shipped("ridge").unwrap()));
    let config = SimConfig { mode: Mode::Walk, ..SimConfig::default() };
    let setup =
        BattleSetup { config: config.clone(), field: Arc::clone(&field), seed: 3, threads: 1 };
    let mut battle = Battle::new(setup);
    let mut visibility = Visibility::new(&config);
    let mut history = FrameHistory::new();
    // Shared, as a server's shard shares them: what one may know must not reach another.
    let mut cache = DeltaCache::default();
    let mut noises = Noises::default();
    let now = Instant::now();
    let client = |slot| Client {
        slot: PlayerSlot(slot),
        server: ServerSession::new(SessionConfig::default(), 0),
        session: ClientSession::new(now, config.tick_hz, 0, Default::default()),
        lens: Lens::new(config.tick_hz),
    };
    let mut clients: Vec<Client> = (0..CLIENTS).map(client).collect();
    let mut views: VecDeque<View> = VecDeque::new();
    let mut leaks = Leaks::default();
    for tick in 1..=TICKS {
        let output = battle.step(&commands(tick));
        noises.gather(&output.events, config.interest.hearing_m);
        let view = battle.view();
        publish(view, &config.movement, &mut history);
        visibility.update(view, &field, None);
        views.push_back(view.clone());
        if views.len() > usize::from(config.interest.grace_ticks) + 1 {
            views.pop_front();
        }
        let views = views.make_contiguous();
        for client in &mut clients {
            let seen = visibility.visible(client.slot);
            let soldiers = plant(planted, seen, view, client.slot);
            let seen = VisibleSet { soldiers: &soldiers, ..seen };
            client.lens.look(view, client.slot, seen, &noises);
            if !client.exchange(planted, seen, &history, &mut cache, now) {
                continue;
            }
            leaks.checked += 1;
            let told = &client.session.newest().unwrap().snapshot.entities;
            for (id, state) in told {
                let rules = &config.interest;
                if !oracle_may_know(views, &field, rules, client.slot, EntityId(*id)) {
                    leaks.entities.push((tick, client.slot.0, *id));
                }
                leaks.note_state(view, client.slot, state);
            }
        }
    }
    leaks
}

impl Client {
    /// One snapshot down and its ack up, with every eleventh of them lost. Whether it arrived.
    fn exchange(
        &mut self,
        planted: Planted,
        seen: VisibleSet<'_>,
        history: &FrameHistory,
        cache: &mut DeltaCache,
        now: Instant,
    ) -> bool {
        let tick = history.newest();
        self.server.take_input(tick);
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let mut source = self.lens.source(seen, history, LoadStep::Normal);
        if planted == Planted::WrongFace {
            source.viewer.team_view = 1 - source.viewer.team_view;
        }
        let bytes = self.server.encode_snapshot(&source, cache, &mut out);
        if (tick + u32::from(self.slot.0)).is_multiple_of(11) {
            return false;
        }
        assert_eq!(self.session.handle_snapshot(now, &out[..bytes]), SnapshotVerdict::Newest);
        let input = InputCommand { tick: tick + 4, view_tick: tick, ..InputCommand::default() };
        let mut datagram = [0; INPUT_BYTES_MAX];
        let datagram = self.session.push_input(input, &mut datagram);
        self.server.handle_input_datagram(datagram, tick);
        true
    }
}

impl Leaks {
    fn note_state(&mut self, view: &View, viewer: PlayerSlot, state: &EntityState) {
        let own_team = view.soldiers[usize::from(viewer.0)].team as u8 == state.team;
        self.enemies_told += u32::from(!own_team);
        let health = !own_team && state.health != 0;
        let mark = own_team && state.flags & flags::SPOTTED != 0;
        self.secrets += u32::from(health || mark);
    }
}

fn plant(planted: Planted, seen: VisibleSet<'_>, view: &View, own: PlayerSlot) -> Vec<u64> {
    let mut soldiers = seen.soldiers.to_vec();
    let in_field = |status| matches!(status, Status::Alive | Status::Down);
    let others = view.soldiers.iter().filter(|row| row.slot != own && in_field(row.status));
    let mut others = others.map(|row| row.slot.0);
    let mut show = |slot: u16| soldiers[usize::from(slot) / 64] |= 1 << (slot % 64);
    match planted {
        Planted::Nothing | Planted::WrongFace => {}
        Planted::Everybody => others.for_each(show),
        Planted::OneInAHundredTicks if view.tick.0 % 100 == 50 => {
            if let Some(more) = others.find(|slot| !seen.contains(PlayerSlot(*slot).into())) {
                show(more);
            }
        }
        Planted::OneInAHundredTicks => {}
    }
    soldiers
}

/// Everybody joins, and runs about in long curves.
fn commands(tick: u32) -> Vec<Command> {
    let mut commands = Vec::new();
    for slot in 0..PLAYERS {
        let player = PlayerSlot(slot);
        if tick == 1 {
            let key = PlayerKey(u128::from(slot));
            let join = Action::Join { key, team: None, class: Class::Assault };
            let spawn = Action::Spawn { at: SpawnAt::Base, class: Class::Assault };
            commands.extend([join, spawn].map(|action| Command { player, action }));
        }
        let input = InputCommand {
            tick,
            move_forward: 127,
            yaw: (u32::from(slot) * 9_973 + tick * (20 + u32::from(slot % 7) * 13)) as u16,
            buttons: if slot % 3 == 0 { buttons::SPRINT } else { 0 },
            view_tick: tick,
            ..InputCommand::default()
        };
        commands.push(input_command(player, &input));
    }
    commands
}
