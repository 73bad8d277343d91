//! From the simulation's view to the history that sessions read: what each team may know of every
//! entity, on the wire's grid.
//!
//! Secrets end here: what is not in a team's view is in none of its packets.

use sortie_field::MoveRules;
use sortie_sim::{
    id::{Team, Tick},
    view::{PropRow, SoldierRow, Status, View},
};
use sortie_wire::state::{EntityState, flags, quantise_pitch, quantise_velocity, quantise_yaw};

use sortie_session::history::{FrameHistory, TeamViews};

/// A shot or a hit shows for this long, so that one lost snapshot does not hide it.
const SHOWN_TICKS: u32 = 3;
/// Writes the view's tick into the history. `rules` are those that the view's bodies move by.
pub fn publish(view: &View, rules: &MoveRules, history: &mut FrameHistory) {
    let sprint_mps = sprint_shows_mps(rules);
    let mut frame = history.begin(view.tick.0);
    for row in &view.soldiers {
        let in_field = matches!(row.status, Status::Alive | Status::Down);
        frame.soldier(in_field.then(|| soldier_views(row, view.tick, sprint_mps)));
    }
    for row in &view.props {
        frame.prop(row.id.0, [prop_state(row); 2]);
    }
    frame.finish();
}

/// Whoever moves faster than this, in m/s, is told of as sprinting: a quarter of the way from
/// running to sprinting, so that it shows soon after the start and lasts into a turn.
fn sprint_shows_mps(rules: &MoveRules) -> f32 {
    rules.run_mps + 0.25 * (rules.sprint_mps - rules.run_mps)
}

fn soldier_views(row: &SoldierRow, now: Tick, sprint_mps: f32) -> TeamViews {
    let mut known = EntityState {
        team: row.team as u8,
        class: row.class as u8,
        weapon: row.weapon.0,
        yaw: quantise_yaw(row.yaw.0),
        pitch: quantise_pitch(row.pitch.0),
        flags: soldier_flags(row, now, sprint_mps),
        ..EntityState::default()
    };
    known.set_position_m(row.body.pos.to_array());
    Team::ALL.map(|viewer| {
        if viewer == row.team {
            return EntityState { health: health_fifteenths(row.health_hp), ..known };
        }
        let spotted = if row.spotted_until >= now { flags::SPOTTED } else { 0 };
        EntityState { flags: known.flags | spotted, ..known }
    })
}

fn soldier_flags(row: &SoldierRow, now: Tick, sprint_mps: f32) -> u16 {
    let recent = |at: Tick| at.0 != 0 && now.0.saturating_sub(at.0) < SHOWN_TICKS;
    let speed_mps = row.body.vel.with_y(0.0).length();
    let crouched = row.body.stance == sortie_field::body::Stance::Crouched;
    [
        (crouched, flags::CROUCHED),
        (row.aiming, flags::AIMING),
        (row.reloading, flags::RELOADING),
        (recent(row.fired_at), flags::FIRING),
        (row.status == Status::Down, flags::DOWN),
        (row.body.grounded, flags::GROUNDED),
        (speed_mps > sprint_mps, flags::SPRINTING),
        (recent(row.hit_at), flags::HURT),
    ]
    .into_iter()
    .fold(0, |bits, (is, flag)| if is { bits | flag } else { bits })
}

/// 0 to 15, rounded up: only the dead have none.
fn health_fifteenths(health_hp: u8) -> u8 {
    (u16::from(health_hp.min(100)) * 15).div_ceil(100) as u8
}

fn prop_state(row: &PropRow) -> EntityState {
    let mut state = EntityState {
        kind: 1 + row.kind as u8,
        team: row.team as u8,
        vel: quantise_velocity(row.vel.to_array()),
        radius_dm: (row.radius_m * 10.0 + 0.5) as u8,
        ..EntityState::default()
    };
    state.set_position_m(row.pos.to_array());
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use sortie_field::Vec3;

    #[test]
    fn who_sprints_is_told_by_the_rules_of_the_battle() {
        let sprints = |rules: &MoveRules, speed_mps: f32| {
            let mut row = SoldierRow::default();
            row.body.vel = Vec3::X * speed_mps;
            soldier_flags(&row, Tick(1), sprint_shows_mps(rules)) & flags::SPRINTING != 0
        };
        let shipped = MoveRules::default();
        let slow = MoveRules { run_mps: 2.0, sprint_mps: 4.0, ..shipped };
        let even = MoveRules { run_mps: 6.0, sprint_mps: 6.0, ..shipped };
        for rules in [shipped, slow] {
            assert!(!sprints(&rules, rules.run_mps) && sprints(&rules, rules.sprint_mps));
        }
        assert!(!sprints(&even, even.sprint_mps), "nobody sprints where all are as fast");
    }

    #[test]
    fn health_is_rounded_up_and_full_at_full() {
        assert_eq!([0, 1, 6, 7, 99, 100, 255].map(health_fifteenths), [0, 1, 1, 2, 15, 15, 15]);
    }
}
