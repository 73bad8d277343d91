//! A battle of bots is a fight at once, however few they are: counted in ticks, without a network.

use sortie_players::headless::{Arena, SimRunConfig};
use sortie_sim::event::Event;

/// A second.
const HZ: u32 = 60;

/// The first ticks in which a shot was fired, an enemy went down, and a point was taken.
#[derive(Clone, Copy, Debug, Default)]
struct Firsts {
    shot: Option<u32>,
    kill: Option<u32>,
    capture: Option<u32>,
}

impl Firsts {
    fn all(&self) -> Option<[u32; 3]> {
        Some([self.shot?, self.kill?, self.capture?])
    }
}

fn firsts(players: usize, seed: u64) -> Firsts {
    let config = SimRunConfig { players, seed, ..SimRunConfig::default() };
    let mut arena = Arena::new(&config).unwrap();
    let mut firsts = Firsts::default();
    for tick in 1..=30 * HZ {
        for event in &arena.step().events {
            match event {
                Event::Shot { .. } => drop(firsts.shot.get_or_insert(tick)),
                Event::Downed { killer: Some(_), .. } => drop(firsts.kill.get_or_insert(tick)),
                Event::PointOwner { owner: Some(_), .. } => {
                    firsts.capture.get_or_insert(tick);
                }
                _ => {}
            }
        }
        if firsts.all().is_some() {
            break;
        }
    }
    firsts
}

#[test]
fn bots_fight_at_once_however_few_they_are() {
    for players in [16, 32, 64, 100, 200] {
        for seed in 1..=4 {
            let firsts = firsts(players, seed);
            println!("{players} bots, seed {seed}: {firsts:?}");
            let Some([shot, kill, capture]) = firsts.all() else {
                panic!("{players} bots, seed {seed}: {firsts:?} within 30 s");
            };
            // Over a network they also have to come in, for which this leaves the other half.
            assert!(shot <= 5 * HZ / 2, "{players} bots, seed {seed}: a shot at {shot}");
            assert!(kill <= 10 * HZ * 2 / 3, "{players} bots, seed {seed}: a kill at {kill}");
            assert!(capture <= 30 * HZ * 2 / 3, "{players} bots, seed {seed}: taken at {capture}");
        }
    }
}
