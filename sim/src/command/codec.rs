//! Commands as bytes, for journals. Little-endian; the player, a number for the action, its
//! fields. The bytes of a command never change within a journal version: the test below holds
//! samples of all of them.

use super::{Action, Buttons, Command, Input, SpawnAt};
use crate::codec::{Corrupt, Saved, Sink, Source};
use crate::id::{Class, PlayerKey, PlayerSlot, PointId, Team, Tick};

/// Why bytes are no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes hold no command: {0}")]
pub struct CommandDecodeError(pub &'static str);

impl From<Corrupt> for CommandDecodeError {
    fn from(Corrupt(reason): Corrupt) -> Self {
        Self(reason)
    }
}

/// Appends the bytes of `command` to `out`, at most [`COMMAND_BYTES_MAX`].
pub fn encode_command(command: &Command, out: &mut Vec<u8>) {
    command.player.save(out);
    match command.action {
        Action::Join { key, team, class } => {
            out.put(0, 1);
            (key, (team, class)).save(out);
        }
        Action::Leave => out.put(1, 1),
        Action::Input(input) => {
            out.put(2, 1);
            input.save(out);
        }
        Action::Spawn { at, class } => {
            out.put(3, 1);
            (at, class).save(out);
        }
        Action::GiveUp => out.put(4, 1),
        Action::JoinSquad => out.put(5, 1),
        Action::LeaveSquad => out.put(6, 1),
        Action::SquadOrder(point) => {
            out.put(7, 1);
            point.save(out);
        }
        Action::Spot => out.put(8, 1),
        Action::Lapse { since } => {
            out.put(9, 1);
            since.save(out);
        }
    }
}

/// The most bytes that [`encode_command`] appends.
pub const COMMAND_BYTES_MAX: usize = 2 + 1 + 16 + 2 + 1;

/// Takes one command off the front of `bytes`; on an error `bytes` stays as it was.
///
/// # Errors
/// The bytes end early, or hold a number without a meaning. Never panics, never allocates.
pub fn decode_command(bytes: &mut &[u8]) -> Result<Command, CommandDecodeError> {
    let mut source = Source::new(bytes);
    let player = PlayerSlot::load(&mut source)?;
    let action = match source.take(1)? {
        0 => {
            let (key, (team, class)) = <(PlayerKey, (Option<Team>, Class))>::load(&mut source)?;
            Action::Join { key, team, class }
        }
        1 => Action::Leave,
        2 => Action::Input(Input::load(&mut source)?),
        3 => {
            let (at, class) = <(SpawnAt, Class)>::load(&mut source)?;
            Action::Spawn { at, class }
        }
        4 => Action::GiveUp,
        5 => Action::JoinSquad,
        6 => Action::LeaveSquad,
        7 => Action::SquadOrder(PointId::load(&mut source)?),
        8 => Action::Spot,
        9 => Action::Lapse { since: Tick::load(&mut source)? },
        _ => return Err(CommandDecodeError("no action of that number")),
    };
    *bytes = &bytes[bytes.len() - source.remaining()..];
    Ok(Command { player, action })
}

crate::codec::saved!(Input {
    move_right,
    move_forward,
    yaw,
    pitch,
    buttons,
    weapon_slot,
    view_tick,
});
crate::codec::saved_newtype!(Buttons);

impl Saved for SpawnAt {
    fn save(&self, sink: &mut impl Sink) {
        match self {
            Self::Base => sink.put(0, 1),
            Self::Squad => sink.put(1, 1),
            Self::Point(point) => {
                sink.put(2, 1);
                point.save(sink);
            }
        }
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        match source.take(1)? {
            0 => Ok(Self::Base),
            1 => Ok(Self::Squad),
            2 => Ok(Self::Point(PointId::load(source)?)),
            _ => Err(Corrupt("no place to spawn of that number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use sortie_field::{Pitch, Yaw};

    use super::*;

    fn samples() -> Vec<(Action, &'static str)> {
        let input = Input {
            move_right: -127,
            move_forward: 64,
            yaw: Yaw(0x1234),
            pitch: Pitch(-2),
            buttons: Buttons::FIRE.with(Buttons::MELEE),
            weapon_slot: 2,
            view_tick: Tick(0x0102_0304),
        };
        let key = PlayerKey(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100);
        let point = SpawnAt::Point(PointId(3));
        vec![
            (
                Action::Join { key, team: Some(Team::Blue), class: Class::Recon },
                "0700000001020304050607\
                 08090a0b0c0d0e0f010103",
            ),
            (
                Action::Join { key, team: None, class: Class::Assault },
                "070000000102030405060708090a0b0c0d0e0f0000",
            ),
            (Action::Leave, "070001"),
            (Action::Input(input), "07000281403412feff01010204030201"),
            (Action::Spawn { at: point, class: Class::Medic }, "070003020301"),
            (Action::Spawn { at: SpawnAt::Base, class: Class::Support }, "0700030002"),
            (Action::GiveUp, "070004"),
            (Action::JoinSquad, "070005"),
            (Action::LeaveSquad, "070006"),
            (Action::SquadOrder(PointId(4)), "07000704"),
            (Action::Spot, "070008"),
            (Action::Lapse { since: Tick(0x0102_0304) }, "07000904030201"),
        ]
    }

    #[test]
    fn bytes_of_every_command_stay_what_they_are() {
        for (action, golden) in samples() {
            let command = Command { player: PlayerSlot(7), action };
            let mut bytes = Vec::new();
            encode_command(&command, &mut bytes);
            assert_eq!(HEXLOWER.encode(&bytes), golden, "{action:?}");
            assert!(bytes.len() <= COMMAND_BYTES_MAX);
            let mut rest = &bytes[..];
            assert_eq!(decode_command(&mut rest), Ok(command));
            assert!(rest.is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_re_encode_to_themselves(
            bytes in proptest::collection::vec(any::<u8>(), 0..=40),
        ) {
            let mut rest = &bytes[..];
            match decode_command(&mut rest) {
                Ok(command) => {
                    let mut again = Vec::new();
                    encode_command(&command, &mut again);
                    prop_assert_eq!(&again[..], &bytes[..bytes.len() - rest.len()]);
                }
                Err(_) => prop_assert_eq!(rest, &bytes[..]),
            }
        }
    }
}
