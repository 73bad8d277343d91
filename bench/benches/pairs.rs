//! Per (client, entity): coding a changed soldier, finding out who is visible, casting a ray.

use divan::{Bencher, counter::ItemsCount};
use sortie_bench::measure::codec::Walk;
use sortie_bench::measure::rays::Rays;
use sortie_field::Field;
use sortie_players::ground;
use sortie_players::headless::{Arena, SimRunConfig};
use sortie_players::scenario::Scenario;
use sortie_sim::interest::Visibility;
use sortie_wire::limits::DATAGRAM_BYTES_MAX;
use sortie_wire::snapshot::Snapshot;

fn main() {
    divan::main();
}

#[divan::bench]
fn encode(bencher: Bencher) {
    let (walk, mut buffer) = (Walk::new(1), [0; DATAGRAM_BYTES_MAX]);
    let records = walk.frame(0).len();
    bencher.counter(ItemsCount::new(records)).bench_local(|| walk.encode(0, &mut buffer));
}

#[divan::bench]
fn decode(bencher: Bencher) {
    let (walk, mut buffer) = (Walk::new(1), [0; DATAGRAM_BYTES_MAX]);
    let (length, _) = walk.encode(0, &mut buffer);
    let (records, mut decoded) = (walk.frame(0).len(), Snapshot::default());
    bencher.counter(ItemsCount::new(records)).bench_local(|| {
        walk.decode(0, &buffer[..length], &mut decoded).expect("it was encoded here");
    });
    assert_eq!(decoded.entities, *walk.frame(0));
}

#[divan::bench(args = ["ridge", "steppe"])]
fn rays(bencher: Bencher, map: &str) {
    let field = Field::new(ground::load(map).expect("a shipped map"));
    let rays = Rays::new(&field, 1_000);
    bencher.counter(ItemsCount::new(1_000_u32)).bench_local(|| rays.cast(&field));
}

/// One update for all players; items are (client, visible) pairs.
#[divan::bench(args = [Scenario::Uniform, Scenario::Conquest, Scenario::Crush], sample_count = 30)]
fn interest(bencher: Bencher, scenario: &Scenario) {
    let config = SimRunConfig { players: 300, scenario: *scenario, ..SimRunConfig::default() };
    let mut arena = Arena::new(&config).expect("a shipped map");
    let mut visibility = Visibility::new(arena.battle.config());
    for _ in 0..120 {
        arena.step();
        visibility.update(arena.battle.view(), &arena.field, None);
    }
    let slots = arena.battle.view().soldiers.iter().map(|row| row.slot);
    let pairs: usize = slots.map(|slot| visibility.visible(slot).len()).sum();
    bencher.counter(ItemsCount::new(pairs)).bench_local(|| {
        visibility.update(arena.battle.view(), &arena.field, None);
    });
}
