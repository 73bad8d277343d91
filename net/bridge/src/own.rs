//! The own soldier, exact, between the simulation and the wire.

use sortie_field::{
    Vec3,
    body::{Body, Stance},
};
use sortie_sim::view::{SoldierRow, Status};
use sortie_wire::state::{SelfState, status};

/// What a player is told about its own soldier.
pub fn self_state(row: &SoldierRow) -> SelfState {
    let known = SelfState {
        status: row.status as u8,
        class: row.class as u8,
        squad: row.squad.map(|squad| squad.0),
        order: row.order.map(|point| point.0),
        ..SelfState::default()
    };
    if !matches!(row.status, Status::Alive | Status::Down) {
        return SelfState { spawns_at: row.spawns_at.map(|tick| tick.0), ..known };
    }
    let known = with_body(known, &row.body);
    SelfState {
        aiming: row.aiming,
        reloading: row.reloading,
        health_hp: row.health_hp.min(127),
        weapon: row.weapon.0,
        weapon_slot: row.weapon_slot.min(3),
        ammo: row.ammo.min(1_023),
        reserve: row.reserve.min(4_095),
        grenades: row.grenades.min(15),
        ..known
    }
}

/// The state with this body.
pub fn with_body(state: SelfState, body: &Body) -> SelfState {
    SelfState {
        pos: body.pos.to_array(),
        vel: body.vel.to_array(),
        fall_from_y: body.fall_from_y,
        crouched: body.stance == Stance::Crouched,
        grounded: body.grounded,
        jump_held: body.jump_held,
        ..state
    }
}

/// The body of a state.
pub fn body(state: &SelfState) -> Body {
    Body {
        pos: Vec3::from_array(state.pos),
        vel: Vec3::from_array(state.vel),
        stance: if state.crouched { Stance::Crouched } else { Stance::Standing },
        grounded: state.grounded,
        jump_held: state.jump_held,
        fall_from_y: state.fall_from_y,
    }
}

const _: () = assert!(
    Status::Waiting as u8 == status::WAITING
        && Status::Alive as u8 == status::ALIVE
        && Status::Down as u8 == status::DOWN
        && Status::Left as u8 == status::LEFT
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_the_wire_to_the_last_bit() {
        let sent = Body {
            pos: Vec3::new(1.1, -0.0, 1e-30),
            vel: Vec3::new(-3.3, 0.1, 9.9),
            stance: Stance::Crouched,
            grounded: true,
            jump_held: true,
            fall_from_y: 12.34,
        };
        assert_eq!(body(&with_body(SelfState::default(), &sent)), sent);
    }
}
