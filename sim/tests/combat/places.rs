//! Joining, leaving, coming again, being kicked, not showing up, crashing: a player costs one slot
//! and pays its tickets once, whatever it does.

use std::collections::BTreeMap;

use sortie_sim::command::{Action, Command, SpawnAt};
use sortie_sim::config::SimConfig;
use sortie_sim::event::Event;
use sortie_sim::field::Field;
use sortie_sim::field::map::Map;
use sortie_sim::id::{Class, PlayerKey, PlayerSlot, Team, Tick};
use sortie_sim::place::Place;
use sortie_sim::rng::{Dice, Rng, Stream};
use sortie_sim::view::{RoundState, Status};
use sortie_sim::{Battle, BattleSetup};

use crate::fixture::Fixture;

/// What the rule says of one player.
#[derive(Clone, Copy, Debug)]
struct Known {
    slot: PlayerSlot,
    team: Team,
    is_here: bool,
    deaths: u16,
}

/// What the rule says of a battle.
#[derive(Default)]
struct Model {
    players_max: usize,
    known: BTreeMap<PlayerKey, Known>,
    peak: [u32; 2],
    spent: [u32; 2],
}

impl Model {
    fn present(&self) -> usize {
        self.known.values().filter(|known| known.is_here).count()
    }

    fn place(&self, key: PlayerKey) -> Place {
        match self.known.get(&key) {
            Some(known) if known.is_here => Place::Here(known.slot),
            _ if self.present() >= self.players_max => Place::Full,
            Some(known) => Place::Again(known.slot),
            None => Place::New(PlayerSlot(self.known.len() as u16)),
        }
    }

    fn tickets(&self, team: Team, config: &SimConfig) -> u32 {
        let rules = &config.objective;
        let all = (rules.tickets_per_player * self.peak[team.index()]).max(rules.tickets_min);
        all.saturating_sub(self.spent[team.index()])
    }
}

fn setup(players_max: u16, seed: u64) -> BattleSetup {
    let mut config = SimConfig { players_max, ..SimConfig::default() };
    config.objective.tickets_min = 5;
    config.objective.wave_s = 0.1;
    config.objective.deploy_s = 0.1;
    config.combat.down_s = 0.5;
    let field = std::sync::Arc::new(Field::new(Map::plain(512.0)));
    BattleSetup { config, field, seed, threads: 1 }
}

/// Random acts of a few players on few places, each tick compared with the rule.
fn play(case: u64) {
    let dice = |tick: u32| Rng::new(case).dice(Tick(tick), PlayerSlot(0), Stream::Spawn);
    let mut first = dice(0);
    let players_max = 1 + first.below(5) as u16;
    let keys = u32::from(players_max) * 2 + 2;
    let mut battle = Battle::new(setup(players_max, case));
    let mut model = Model { players_max: players_max.into(), ..Model::default() };
    for tick in 1..=80 {
        let mut dice = dice(tick);
        let (mut commands, mut forged) = (Vec::new(), Vec::new());
        let mut leaving = Vec::new();
        for _ in 0..dice.below(4) {
            act(&battle, &mut model, keys, (&mut commands, &mut forged), &mut leaving, &mut dice);
        }
        commands.extend(forged);
        commands.sort_by_key(|command: &Command| command.player);
        let ended = battle.view().round != RoundState::Running;
        let events = battle.step(&commands).events.clone();
        for key in leaving {
            model.known.get_mut(&key).expect("it was here").is_here = false;
        }
        for team in Team::ALL {
            let here = |known: &&Known| known.is_here && known.team == team;
            let here = model.known.values().filter(here).count() as u32;
            let peak = &mut model.peak[team.index()];
            *peak = (*peak).max(here);
        }
        for event in events {
            if let Event::Died { victim } = event
                && !ended
            {
                let team = battle.view().soldiers[usize::from(victim.0)].team;
                model.spent[team.index()] += 1;
            }
        }
        check(&battle, &mut model);
        if dice.below(12) == 0 {
            // A crash: what comes back is what was.
            let mut bytes = Vec::new();
            battle.checkpoint(&mut bytes);
            battle = Battle::restore(setup(players_max, case), &bytes).expect("just saved");
        }
    }
}

/// One act of one player, and what the rule makes of it.
fn act(
    battle: &Battle,
    model: &mut Model,
    keys: u32,
    (commands, forged): (&mut Vec<Command>, &mut Vec<Command>),
    leaving: &mut Vec<PlayerKey>,
    dice: &mut Dice,
) {
    let key = PlayerKey(u128::from(dice.below(keys)) + 100);
    let known = model.known.get(&key).copied().filter(|known| known.is_here);
    let class = Class::ALL[dice.below(4) as usize];
    let mut push = |player, action| commands.push(Command { player, action });
    match (dice.below(8), known) {
        // Leaves, is kicked, or did not come back in time: the simulation is told the same.
        (0 | 1, Some(known)) if !leaving.contains(&key) => {
            push(known.slot, Action::Leave);
            leaving.push(key);
        }
        (2 | 3, Some(known)) => push(known.slot, Action::Spawn { at: SpawnAt::Base, class }),
        (4, _) => {
            // For a place that is not the player's: nothing comes of it.
            let slots = battle.view().soldiers.len() as u32;
            let slot = PlayerSlot(if slots == 0 { 900 } else { dice.below(slots) as u16 });
            if model.known.get(&key).is_none_or(|known| known.slot != slot) {
                let action = Action::Join { key, team: None, class };
                forged.push(Command { player: slot, action });
            }
        }
        _ => {
            let place = battle.place_for(key, commands);
            assert_eq!(place, model.place(key), "{key:?}");
            let (Place::New(slot) | Place::Again(slot)) = place else { return };
            let team = [Team::Red, Team::Blue][dice.below(2) as usize];
            let before = model.known.get(&key).copied();
            // Who comes again may leave it to the battle: the side of before.
            let asked = (before.is_none() || dice.below(2) == 0).then_some(team);
            commands
                .push(Command { player: slot, action: Action::Join { key, team: asked, class } });
            let team = asked.or(before.map(|known| known.team)).expect("one of both");
            let deaths = before.map_or(0, |known| known.deaths);
            model.known.insert(key, Known { slot, team, is_here: true, deaths });
        }
    }
}

fn check(battle: &Battle, model: &mut Model) {
    let view = battle.view();
    assert_eq!(view.soldiers.len(), model.known.len(), "a slot a player");
    for (key, known) in &mut model.known {
        let row = &view.soldiers[usize::from(known.slot.0)];
        assert_eq!((row.key, row.team), (*key, known.team));
        assert_eq!(row.status != Status::Left, known.is_here, "{key:?}");
        assert!(row.score.deaths >= known.deaths, "what was counted stays");
        known.deaths = row.score.deaths;
    }
    let tickets = Team::ALL.map(|team| model.tickets(team, battle.config()));
    assert_eq!(view.tickets, tickets, "tickets once a player");
}

/// `SORTIE_CASES` cases from `SIM_SEED` on.
#[test]
fn a_player_costs_one_place_and_pays_its_tickets_once() {
    let number = |name: &str, default| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (seed, cases) = (number("SIM_SEED", 1), number("SORTIE_CASES", 200));
    println!("SIM_SEED={seed} SORTIE_CASES={cases}");
    for case in seed..seed + cases {
        if let Err(panic) = std::panic::catch_unwind(|| play(case)) {
            eprintln!("case {case}: run it with SIM_SEED={case} SORTIE_CASES=1");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn shifts_of_the_same_players_bring_no_more_tickets() {
    let mut fixture = Fixture::new();
    let slots: Vec<_> = (0..30).map(|_| fixture.join(Some(Team::Red), Class::Assault)).collect();
    assert_eq!(fixture.view().tickets, [300, 200]);
    for _ in 0..3 {
        slots.iter().for_each(|&slot| fixture.ask(slot, Action::Leave));
        fixture.step();
        for &slot in &slots {
            let key = PlayerKey(slot.0.into());
            fixture.ask(slot, Action::Join { key, team: None, class: Class::Medic });
        }
        fixture.step();
        assert!(slots.iter().all(|&slot| fixture.row(slot).status == Status::Waiting));
        assert!(slots.iter().all(|&slot| fixture.row(slot).team == Team::Red));
        assert_eq!((fixture.view().tickets, fixture.view().soldiers.len()), ([300, 200], 30));
    }
}

#[test]
fn other_players_in_the_places_of_leavers_bring_no_more_tickets() {
    let mut fixture = Fixture::with("", |config| config.players_max = 25);
    let slots: Vec<_> = (0..25).map(|_| fixture.join(Some(Team::Red), Class::Assault)).collect();
    assert_eq!(fixture.battle.place_for(PlayerKey(500), &[]), Place::Full);
    slots.iter().for_each(|&slot| fixture.ask(slot, Action::Leave));
    fixture.step();
    for slot in 25..50 {
        assert_eq!(
            fixture.battle.place_for(PlayerKey(slot), &[]),
            Place::New(PlayerSlot(slot as u16))
        );
        fixture.join(Some(Team::Red), Class::Assault);
    }
    assert_eq!(fixture.battle.place_for(PlayerKey(500), &[]), Place::Full);
    assert_eq!(fixture.view().tickets, [250, 200]);
}
