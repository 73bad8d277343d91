//! What it costs to know who may know of whom.
//!
//! A candidate is another soldier in the field within the view distance: whom interest has to
//! decide about. Each run compares samples of what was found with brute force.

use std::io;

use sortie_sim::config::InterestMode;
use sortie_sim::id::EntityId;
use sortie_sim::interest::Visibility;
use sortie_sim::view::{SoldierRow, Status, View};

use super::suite_run::SuiteRun;
use super::table::TableRow;
use sortie_players::cpu::thread_time;
use sortie_players::headless::{Arena, SimRunConfig};
use sortie_players::scenario::Scenario;

/// What interest costs on one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interest {
    /// Nanoseconds per (client, candidate).
    pub ns_per_candidate: f64,
    /// Nanoseconds per (client, visible entity).
    pub ns_per_visible: f64,
    /// Candidates per client.
    pub candidates: f64,
    /// Visible entities per client.
    pub visible: f64,
    /// Lines of sight per client and tick.
    pub rays: f64,
}

/// Measures `ticks` of a scenario after `warm_up` ticks.
pub fn measure(
    scenario: Scenario,
    players: usize,
    warm_up: u32,
    ticks: u32,
) -> io::Result<Interest> {
    let config = SimRunConfig { players, scenario, ..SimRunConfig::default() };
    let mut arena = Arena::new(&config).map_err(io::Error::other)?;
    let rules = arena.battle.config().interest;
    let mut visibility = Visibility::new(arena.battle.config());
    let (mut spent_ns, mut candidates, mut visible, mut rays) = (0.0, 0, 0, 0);
    for tick in 0..warm_up + ticks {
        arena.step();
        let view = arena.battle.view();
        let before = thread_time();
        visibility.update(view, &arena.field, None);
        let spent = thread_time() - before;
        if tick < warm_up {
            continue;
        }
        spent_ns += spent.as_nanos() as f64;
        rays += visibility.rays();
        for row in in_field(view) {
            let near = |other: &&SoldierRow| {
                other.slot != row.slot
                    && other.body.pos.distance_squared(row.body.pos) <= rules.view_m * rules.view_m
            };
            candidates += in_field(view).filter(near).count();
            visible += visibility.visible(row.slot).len();
        }
        if rules.mode == InterestMode::Circle {
            check(view, &visibility, rules.view_m)?;
        }
    }
    let client_ticks = (players as f64 * f64::from(ticks)).max(1.0);
    Ok(Interest {
        ns_per_candidate: spent_ns / (candidates as f64).max(1.0),
        ns_per_visible: spent_ns / (visible as f64).max(1.0),
        candidates: candidates as f64 / client_ticks,
        visible: visible as f64 / client_ticks,
        rays: rays as f64 / client_ticks,
    })
}

/// Within the circle, everyone must be found: by brute force for one soldier.
fn check(view: &View, visibility: &Visibility, view_m: f32) -> io::Result<()> {
    let Some(row) = in_field(view).nth(view.tick.0 as usize % view.soldiers.len().max(1)) else {
        return Ok(());
    };
    let visible = visibility.visible(row.slot);
    let missing = in_field(view).filter(|other| {
        other.slot != row.slot
            && other.body.pos.distance(row.body.pos) < view_m * 0.99
            && !visible.contains(EntityId::from(other.slot))
    });
    match missing.count() {
        0 => Ok(()),
        count => Err(io::Error::other(format!("{count} soldiers in the circle are overlooked"))),
    }
}

fn in_field(view: &View) -> impl Iterator<Item = &SoldierRow> {
    view.soldiers.iter().filter(|row| matches!(row.status, Status::Alive | Status::Down))
}

/// The section of the table.
pub fn rows(run: &SuiteRun) -> io::Result<Vec<TableRow>> {
    let players = run.choose(60, 1_000);
    let (warm_up, ticks) = run.choose((90, 20), (1_200, 300));
    let mut rows = Vec::new();
    for (scenario, what) in [
        (Scenario::Uniform, "a circle on open ground"),
        (Scenario::Conquest, "lines of sight in a Conquest"),
        (Scenario::Crush, "lines of sight in one crowd"),
    ] {
        let interest = measure(scenario, players, warm_up, ticks)?;
        let Interest { candidates, visible, rays, .. } = interest;
        let note = format!(
            "{candidates:.0} candidates, {visible:.0} visible, {rays:.1} rays a client-tick; \
             {:.0} ns per visible",
            interest.ns_per_visible
        );
        let what = format!("{what}, {players} players");
        rows.push(
            TableRow::new(what, interest.ns_per_candidate, "ns / (client, candidate)").note(note),
        );
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_sees_those_around_it() {
        let interest = measure(Scenario::Uniform, 200, 120, 10).unwrap();
        assert!((40.0..90.0).contains(&interest.visible), "{interest:?}");
    }
}
