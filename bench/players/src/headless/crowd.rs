//! The players of a headless run: they join, ask to spawn, and decide every tick.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use sortie_field::Field;
use sortie_sim::command::{Action, Command};
use sortie_sim::config::SimConfig;
use sortie_sim::id::{Class, PlayerKey, PlayerSlot};
use sortie_sim::view::View;

use super::config::SimRunConfig;
use crate::minds::{Said, SimMind, Surroundings};

/// Players that a thread decides for at a time.
const GRAIN: usize = 32;

/// Players that join in one tick: a crowd at the gate, not a stampede.
const JOINS_PER_TICK: usize = 64;

/// All players.
pub struct Crowd {
    players: Vec<Player>,
    surroundings: Surroundings,
    commands: Vec<Command>,
    pool: Option<ThreadPool>,
    joined: usize,
}

struct Player {
    mind: SimMind,
    said: Said,
}

impl Crowd {
    /// As many players as the run has, each with a mind of its own.
    pub fn new(config: &SimRunConfig, field: &Field, rules: &SimConfig) -> Self {
        let mind = |slot| SimMind::new(config.scenario, config.seed, slot, config.tick_hz, field);
        let player = |slot| Player { mind: mind(slot), said: Said::default() };
        let pool = (config.threads > 1).then(|| {
            let build = ThreadPoolBuilder::new().num_threads(config.threads).build();
            build.expect("threads for the bots can be started")
        });
        Self {
            players: (0..config.players).map(player).collect(),
            surroundings: Surroundings::new(config.scenario, rules),
            commands: Vec::with_capacity(2 * config.players),
            pool,
            joined: 0,
        }
    }

    /// What all players do in the next tick, sorted by slot. A function of the view, the field
    /// and the seeds alone.
    pub fn decide(&mut self, view: &View, field: &Field) -> &[Command] {
        self.commands.clear();
        let Self { players, surroundings, pool, .. } = self;
        surroundings.update(view, field);
        let think = |(slot, player): (usize, &mut Player)| {
            player.said = match view.soldiers.get(slot) {
                Some(own) => player.mind.decide(own, view, field, surroundings),
                None => Said::default(),
            };
        };
        match pool {
            Some(pool) => pool.install(|| {
                players.par_iter_mut().enumerate().with_min_len(GRAIN).for_each(think);
            }),
            None => players.iter_mut().enumerate().for_each(think),
        }
        for (slot, player) in self.players.iter().enumerate() {
            let player_slot = PlayerSlot(slot as u16);
            let said = [player.said.action, player.said.input.map(Action::Input)];
            let commands = said.into_iter().flatten();
            self.commands.extend(commands.map(|action| Command { player: player_slot, action }));
        }
        // Newcomers' slots are above all that have said something.
        let gate = (self.joined + JOINS_PER_TICK).min(self.players.len());
        self.commands.extend((self.joined..gate).map(join));
        self.joined = gate;
        &self.commands
    }
}

fn join(slot: usize) -> Command {
    Command {
        player: PlayerSlot(slot as u16),
        action: Action::Join {
            key: PlayerKey(slot as u128 + 1),
            team: None,
            class: Class::ALL[slot % Class::ALL.len()],
        },
    }
}
