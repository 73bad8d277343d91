//! From the wire to the simulation: inputs and requests.

use sortie_field::{Pitch, Yaw};
use sortie_sim::{
    command::{Action, Buttons, Command, Input, SpawnAt},
    id::{Class, PlayerSlot, PointId, Tick},
};
use sortie_wire::{
    input::InputCommand,
    message::{ClientMessage, SpawnAt as WireSpawnAt},
};

/// The simulation's input of a wire input. Ranges are the simulation's business.
pub fn sim_input(command: &InputCommand) -> Input {
    Input {
        // -128 is one more to the left than there is to the right.
        move_right: command.move_right.max(-127),
        move_forward: command.move_forward.max(-127),
        yaw: Yaw(command.yaw),
        pitch: Pitch(command.pitch),
        buttons: Buttons(command.buttons),
        weapon_slot: command.weapon_slot,
        view_tick: Tick(command.view_tick),
    }
}

/// The command of one player's input in one tick.
pub fn input_command(player: PlayerSlot, command: &InputCommand) -> Command {
    Command { player, action: Action::Input(sim_input(command)) }
}

/// What a client's message does in the battle; `None` for those that concern the session only.
pub fn action(message: &ClientMessage) -> Option<Action> {
    Some(match message {
        ClientMessage::Spawn { at, class } => {
            Action::Spawn { at: spawn_at(*at), class: Class::from_index(*class)? }
        }
        ClientMessage::GiveUp => Action::GiveUp,
        ClientMessage::JoinSquad => Action::JoinSquad,
        ClientMessage::LeaveSquad => Action::LeaveSquad,
        ClientMessage::SquadOrder { point } => Action::SquadOrder(PointId(*point)),
        ClientMessage::Spot => Action::Spot,
        ClientMessage::Leave => Action::Leave,
        ClientMessage::Hello(_) | ClientMessage::Ping { .. } => return None,
    })
}

fn spawn_at(at: WireSpawnAt) -> SpawnAt {
    match at {
        WireSpawnAt::Base => SpawnAt::Base,
        WireSpawnAt::Point(point) => SpawnAt::Point(PointId(point)),
        WireSpawnAt::Squad => SpawnAt::Squad,
    }
}

#[cfg(test)]
mod tests {
    use sortie_wire::input::buttons;

    use super::*;

    #[test]
    fn buttons_mean_the_same_on_both_sides() {
        let pairs = [
            (buttons::FIRE, Buttons::FIRE),
            (buttons::AIM, Buttons::AIM),
            (buttons::JUMP, Buttons::JUMP),
            (buttons::CROUCH, Buttons::CROUCH),
            (buttons::SPRINT, Buttons::SPRINT),
            (buttons::RELOAD, Buttons::RELOAD),
            (buttons::USE, Buttons::USE),
            (buttons::THROW, Buttons::THROW),
            (buttons::MELEE, Buttons::MELEE),
            (buttons::ALL, Buttons::ALL),
        ];
        for (wire, sim) in pairs {
            assert_eq!(Buttons(wire), sim);
        }
    }

    #[test]
    fn an_unknown_class_asks_for_nothing() {
        let message = ClientMessage::Spawn { at: WireSpawnAt::Base, class: 77 };
        assert_eq!(action(&message), None);
        let message = ClientMessage::Spawn { at: WireSpawnAt::Point(2), class: 1 };
        let spawn = Action::Spawn { at: SpawnAt::Point(PointId(2)), class: Class::Medic };
        assert_eq!(action(&message), Some(spawn));
    }
}
