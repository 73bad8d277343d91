//! A whole round by players who press buttons by chance: it ends, the same way every time.

use std::sync::Arc;

use sortie_sim::command::{Action, Buttons, Command, Input, SpawnAt};
use sortie_sim::config::Mode;
use sortie_sim::event::Event;
use sortie_sim::field::map::Map;
use sortie_sim::field::{Field, Pitch, Vec3, Yaw};
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, PointId, Tick};
use sortie_sim::rng::{Rng, Stream};
use sortie_sim::view::{RoundState, SoldierRow, Status};
use sortie_sim::{Battle, BattleSetup};

use crate::fixture::GROUND;

const PLAYERS: u16 = 32;

/// What 32 rather human players do: go for points, fire at whom they see near, help, throw.
fn commands(battle: &Battle) -> Vec<Command> {
    let tick = Tick(battle.tick().0 + 1);
    let mut commands = Vec::new();
    for slot in (0..PLAYERS).map(PlayerSlot) {
        let mut push = |action| commands.push(Command { player: slot, action });
        let class = Class::ALL[usize::from(slot.0) / 2 % 4];
        if tick.0 == 1 {
            push(Action::Join { key: PlayerKey(slot.0.into()), team: None, class });
            push(Action::JoinSquad);
            continue;
        }
        let row = &battle.view().soldiers[usize::from(slot.0)];
        let mut dice = Rng::new(5).dice(Tick(tick.0 / 40), slot, Stream::Recoil);
        match row.status {
            Status::Waiting => {
                let at = [SpawnAt::Base, SpawnAt::Squad, SpawnAt::Point(PointId(0))];
                push(Action::Spawn { at: at[dice.below(3) as usize], class });
            }
            Status::Down if dice.below(20) == 0 => push(Action::GiveUp),
            Status::Alive => {
                if tick.0.is_multiple_of(97) {
                    push(Action::Spot);
                }
                push(Action::Input(fight(battle, row, tick, dice.next_u64())));
            }
            _ => {}
        }
    }
    commands
}

fn fight(battle: &Battle, me: &SoldierRow, tick: Tick, chance: u64) -> Input {
    let view = battle.view();
    let foes =
        view.soldiers.iter().filter(|other| other.team != me.team && other.status == Status::Alive);
    let distance = |other: &&SoldierRow| (other.body.pos - me.body.pos).length();
    let foe = foes.min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let points = &battle.field().map().points;
    let goal = points[usize::from(me.slot.0) / 4 % points.len()].pos;
    let fallen = |other: &&SoldierRow| {
        other.team == me.team && other.status == Status::Down && distance(other) < 30.0
    };
    let fallen = view.soldiers.iter().filter(|_| me.class == Class::Medic).find(fallen);
    let mut input = Input {
        weapon_slot: (chance >> 8) as u8 % 3,
        view_tick: Tick(tick.0.saturating_sub(6)),
        buttons: Buttons::SPRINT,
        move_forward: 127,
        ..Input::default()
    };
    let look = |input: &mut Input, place: Vec3| {
        let way = place - (me.body.pos + Vec3::Y * 1.65);
        let flat = libm::sqrtf(way.x * way.x + way.z * way.z);
        // A hand that trembles by up to three degrees.
        let tremble = ((chance >> 16) % 1_000) as u16;
        input.yaw = Yaw(Yaw::towards(way.x, way.z).0.wrapping_add(tremble).wrapping_sub(500));
        input.pitch = Pitch::from_radians(libm::atan2f(way.y, flat));
    };
    if let Some(fallen) = fallen {
        look(&mut input, fallen.body.pos);
        let there = distance(&fallen) < 1.5;
        input.buttons = if there { Buttons::USE } else { Buttons::SPRINT };
        input.move_forward = if there { 0 } else { 127 };
        return input;
    }
    match foe.filter(|foe| distance(foe) < 40.0) {
        Some(foe) => {
            look(&mut input, foe.body.pos + Vec3::Y * 1.2);
            let extra = [Buttons::AIM, Buttons::THROW, Buttons::CROUCH, Buttons::USE];
            let extra = extra[(chance >> 32) as usize % 4];
            // Single shots need a trigger that is let go.
            let pulls = tick.0.is_multiple_of(2) || me.weapon_slot == 0;
            input.buttons = if pulls { Buttons::FIRE.with(extra) } else { extra };
            input.move_right = (chance >> 40) as i8;
        }
        None => {
            look(&mut input, goal);
            let near = (goal - me.body.pos).length() < 3.0;
            input.move_forward = if near { 0 } else { 127 };
        }
    }
    input
}

#[derive(Debug, Default, PartialEq)]
struct Round {
    hashes: Vec<u64>,
    captures: usize,
    kills: usize,
    revives: usize,
    bangs: usize,
    winner: Option<Option<sortie_sim::id::Team>>,
}

fn play(mode: Mode, threads: usize) -> Round {
    let mut config = sortie_sim::config::SimConfig { mode, ..Default::default() };
    config.objective.tickets_min = 60;
    // Red comes in with the first wave, Blue half a period before it.
    config.objective.deploy_s = config.objective.wave_s;
    config.objective.tickets_per_player = 0;
    config.objective.score_to_win = 60;
    let field = Arc::new(Field::new(Map::parse(GROUND).expect("a map")));
    let mut battle = Battle::new(BattleSetup { config, field, seed: 11, threads });
    let mut round = Round::default();
    while battle.view().round == RoundState::Running {
        assert!(battle.tick().0 < 108_001, "it goes on for ever");
        let commands = commands(&battle);
        for event in &battle.step(&commands).events {
            match event {
                Event::PointOwner { .. } => round.captures += 1,
                Event::Downed { .. } => round.kills += 1,
                Event::Revived { .. } => round.revives += 1,
                Event::Exploded { .. } => round.bangs += 1,
                Event::RoundEnded { winner } => round.winner = Some(*winner),
                _ => {}
            }
        }
        round.hashes.push(battle.state_hash());
    }
    let deaths: u32 = battle.view().soldiers.iter().map(|row| u32::from(row.score.deaths)).sum();
    let kills: u32 = battle.view().soldiers.iter().map(|row| u32::from(row.score.kills)).sum();
    println!(
        "{mode:?}: {} ticks, {} captures, {} down, {kills} kills, {deaths} deaths, {} revived, \
         {} bangs, won by {:?}",
        round.hashes.len(),
        round.captures,
        round.kills,
        round.revives,
        round.bangs,
        round.winner
    );
    round
}

#[test]
fn a_conquest_round_is_fought_to_its_end_the_same_way_every_time() {
    let first = play(Mode::Conquest, 1);
    assert!(first.winner.is_some());
    assert!(first.captures > 2 && first.kills > 30 && first.bangs > 5 && first.revives > 0);
    for threads in [1, 3] {
        assert!(play(Mode::Conquest, threads) == first, "{threads} threads");
    }
}

#[test]
fn a_deathmatch_is_fought_to_its_end() {
    let round = play(Mode::Deathmatch, 1);
    assert!(round.kills >= 60 && round.captures == 0);
}
