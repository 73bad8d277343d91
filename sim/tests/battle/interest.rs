//! What players are shown is what they may know, and they are shown it in time.

use std::collections::VecDeque;

use sortie_sim::Battle;
use sortie_sim::config::{InterestMode, Mode};
use sortie_sim::id::{EntityId, PlayerSlot};
use sortie_sim::interest::oracle::{oracle_may_know, sees};
use sortie_sim::interest::{FAR_TICKS, Visibility};
use sortie_sim::view::{SoldierRow, Status, View};

use crate::support::{Players, arena, run, seed, shipped};

const PLAYERS: u16 = 60;

/// Steps a battle on broken ground and calls `each` with the views of the last ticks.
fn watch(mode: Mode, seed: u64, ticks: u32, mut each: impl FnMut(&Battle, &[View], &Visibility)) {
    let setup = if mode == Mode::Walk { shipped(mode, "ridge", seed) } else { arena(mode, seed) };
    let mut battle = Battle::new(setup);
    let mut players = Players::new(PLAYERS, seed);
    let mut visibility = Visibility::new(battle.config());
    let kept = usize::from(battle.config().interest.grace_ticks) + 1;
    let mut views = VecDeque::new();
    run(&mut battle, &mut players, ticks, |battle| {
        visibility.update(battle.view(), battle.field(), None);
        views.push_back(battle.view().clone());
        if views.len() > kept {
            views.pop_front();
        }
        each(battle, views.make_contiguous(), &visibility);
    });
}

fn slots() -> impl Iterator<Item = PlayerSlot> {
    (0..PLAYERS).map(PlayerSlot)
}

#[test]
fn nobody_is_shown_what_it_may_not_know() {
    let seed = seed(41);
    for mode in [Mode::Walk, Mode::Conquest] {
        let (mut shown, mut enemies, mut hidden) = (0, 0, 0);
        watch(mode, seed, 900, |battle, views, visibility| {
            let rules = battle.config().interest;
            let view = battle.view();
            let may_know =
                |observer, entity| oracle_may_know(views, battle.field(), &rules, observer, entity);
            for observer in slots() {
                let visible = visibility.visible(observer);
                assert!(visible.iter().is_sorted() && !visible.contains(observer.into()));
                for entity in visible.iter() {
                    shown += 1;
                    let me = &view.soldiers[usize::from(observer.0)];
                    let other = view.soldiers.get(entity.0 as usize);
                    enemies += u32::from(other.is_some_and(|other| other.team != me.team));
                    assert!(may_know(observer, entity), "{observer:?} is shown {entity:?}");
                }
            }
            // The oracle must be able to say no, or it proves nothing.
            if view.tick.0.is_multiple_of(50) {
                for observer in slots() {
                    let unknown = slots().filter(|&other| !may_know(observer, other.into()));
                    hidden += unknown.count();
                }
            }
        });
        println!("{mode:?}: {shown} shown, of them {enemies} enemies; {hidden} refused");
        assert!(enemies > 10_000 && hidden > 1_000);
    }
}

#[test]
fn a_planted_leak_is_found() {
    let mut leaks = 0;
    watch(Mode::Walk, seed(42), 120, |battle, views, visibility| {
        let rules = battle.config().interest;
        for observer in slots() {
            // Shows one enemy more than there is to show: the next one by number.
            let visible = visibility.visible(observer);
            let next = slots().map(EntityId::from).find(|id| !visible.contains(*id));
            let next = next.unwrap_or_default();
            leaks += u32::from(!oracle_may_know(views, battle.field(), &rules, observer, next));
        }
    });
    assert!(leaks > 100, "{leaks} leaks found");
}

#[test]
fn an_enemy_who_comes_into_sight_is_shown_within_moments() {
    // One ray in turns of two looks: both halves of the points have been looked at by then.
    let patience = 2 * FAR_TICKS + 2;
    let mut seen_for = vec![0u32; usize::from(PLAYERS) * usize::from(PLAYERS)];
    let (mut checked, mut late) = (0, 0);
    watch(Mode::Walk, seed(43), 600, |battle, views, visibility| {
        let rules = battle.config().interest;
        let view = battle.view();
        for (observer, other) in slots().flat_map(|a| slots().map(move |b| (a, b))) {
            let [mine, theirs] = [observer, other].map(|slot| &view.soldiers[usize::from(slot.0)]);
            let within = (theirs.body.pos - mine.body.pos).length() < rules.view_m - 1.0;
            // Mates are no secret and looked for at leisure.
            let seen = mine.team != theirs.team
                && within
                && sees(view, battle.field(), &rules, observer, other.into());
            let place = usize::from(observer.0) * usize::from(PLAYERS) + usize::from(other.0);
            seen_for[place] = if seen { seen_for[place] + 1 } else { 0 };
            if seen_for[place] > patience {
                checked += 1;
                let shown = visibility.visible(observer).contains(other.into());
                late += u32::from(!shown);
            }
        }
        assert!(views.len() <= 4);
    });
    println!("{late} of {checked} sights shown late");
    assert!(checked > 10_000);
    // A body may be seen by another point each tick; all but a few must be there.
    assert!(late * 1_000 <= checked, "{late} of {checked}");
}

#[test]
fn threads_and_repetition_change_nothing() {
    let seed = seed(44);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
    let mut battle = Battle::new(shipped(Mode::Walk, "ridge", seed));
    let mut players = Players::new(PLAYERS, seed);
    let rules = battle.config().clone();
    let [mut one, mut many] = [Visibility::new(&rules), Visibility::new(&rules)];
    run(&mut battle, &mut players, 200, |battle| {
        one.update(battle.view(), battle.field(), None);
        many.update(battle.view(), battle.field(), Some(&pool));
        for slot in slots() {
            assert_eq!(one.visible(slot), many.visible(slot));
        }
        assert_eq!(one.rays(), many.rays());
    });
}

#[test]
fn in_a_circle_everybody_within_is_shown_and_nobody_else() {
    let seed = seed(45);
    let mut battle = Battle::new(shipped(Mode::Walk, "ridge", seed));
    let mut players = Players::new(PLAYERS, seed);
    let mut rules = battle.config().clone();
    rules.interest.mode = InterestMode::Circle;
    rules.interest.view_m = 90.0;
    let mut visibility = Visibility::new(&rules);
    let mut shown = 0;
    run(&mut battle, &mut players, 100, |battle| {
        visibility.update(battle.view(), battle.field(), None);
        let alive = |row: &SoldierRow| row.status == Status::Alive;
        for (slot, me) in slots().zip(&battle.view().soldiers).filter(|(_, me)| alive(me)) {
            let others = slots().zip(&battle.view().soldiers).filter(|(other, row)| {
                let away = row.body.pos - me.body.pos;
                *other != slot && alive(row) && away.length_squared() <= 90.0 * 90.0
            });
            let expected: Vec<EntityId> = others.map(|(other, _)| other.into()).collect();
            shown += expected.len();
            assert!(visibility.visible(slot).iter().eq(expected), "{slot:?}");
        }
    });
    assert!(shown > 1_000);
}
