//! The commands of ticks, small: an input is coded as its difference to the same player's last.
//!
//! ```text
//! tick   hash u32 | number of commands | commands
//! command  slot difference to the command before * 2 + (1: an input, 0: anything else)
//!          input: mask u8 | the fields of its bits    else: length | the simulation's own bytes
//! ```
//! Numbers without a width are LEB128. A player who holds its input costs two bytes a tick before
//! compression, and those two repeat.

use sortie_field::{Pitch, Yaw};
use sortie_sim::command::{
    Action, Buttons, Command, Input, decode_command, encode_command,
};
use sortie_sim::id::{PLAYERS_MAX, PlayerSlot, Tick};

use super::cursor::{put_varint, take, take_varint, unzigzag, zigzag};

const MOVE: u8 = 1 << 0;
const YAW: u8 = 1 << 1;
const PITCH: u8 = 1 << 2;
const BUTTONS: u8 = 1 << 3;
const WEAPON: u8 = 1 << 4;
const VIEW: u8 = 1 << 5;
const KNOWN: u8 = (1 << 6) - 1;

/// The last input of every player.
#[derive(Clone, Debug, Default)]
struct LastInputs(Vec<Last>);

/// `behind` is tick - view tick: what a player sees lies a steady number of ticks back.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    input: Input,
    behind: i32,
}

impl LastInputs {
    fn of(&mut self, slot: PlayerSlot) -> Option<&mut Last> {
        let index = usize::from(slot.0);
        if index >= PLAYERS_MAX {
            return None;
        }
        if self.0.len() <= index {
            self.0.resize(index + 1, Last::default());
        }
        Some(&mut self.0[index])
    }
}

/// Codes ticks.
#[derive(Clone, Debug, Default)]
pub struct TickWriter {
    last: LastInputs,
    other: Vec<u8>,
}

impl TickWriter {
    /// Forgets all inputs: what follows can be read without what came before.
    pub fn restart(&mut self) {
        self.last.0.clear();
    }

    /// Appends a tick. Commands are sorted by slot; those of slots that cannot exist are left out,
    /// as the battle leaves them out.
    pub fn write(&mut self, tick: Tick, commands: &[Command], hash: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&hash.to_le_bytes());
        let possible = || commands.iter().filter(|c| usize::from(c.player.0) < PLAYERS_MAX);
        put_varint(possible().count() as u64, out);
        let mut before = 0;
        for command in possible() {
            let step = i32::from(command.player.0) - before;
            before = i32::from(command.player.0);
            let is_input = matches!(command.action, Action::Input(_));
            put_varint(zigzag(step) << 1 | u64::from(is_input), out);
            if let Action::Input(input) = &command.action {
                self.write_input(command.player, tick, input, out);
            } else {
                self.other.clear();
                encode_command(command, &mut self.other);
                put_varint(self.other.len() as u64, out);
                out.extend_from_slice(&self.other);
            }
        }
    }

    fn write_input(&mut self, slot: PlayerSlot, tick: Tick, input: &Input, out: &mut Vec<u8>) {
        let Some(last) = self.last.of(slot) else { return };
        let behind = tick.0.wrapping_sub(input.view_tick.0) as i32;
        let old = last.input;
        let moved = (old.move_right, old.move_forward) != (input.move_right, input.move_forward);
        let bit = |changed: bool, bit: u8| if changed { bit } else { 0 };
        let mask = bit(moved, MOVE)
            | bit(old.yaw != input.yaw, YAW)
            | bit(old.pitch != input.pitch, PITCH)
            | bit(old.buttons != input.buttons, BUTTONS)
            | bit(old.weapon_slot != input.weapon_slot, WEAPON)
            | bit(last.behind != behind, VIEW);
        out.push(mask);
        if mask & MOVE != 0 {
            out.extend_from_slice(&[input.move_right as u8, input.move_forward as u8]);
        }
        if mask & YAW != 0 {
            put_varint(zigzag(i32::from(old.yaw.turn_to(input.yaw))), out);
        }
        if mask & PITCH != 0 {
            put_varint(zigzag(i32::from(input.pitch.0.wrapping_sub(old.pitch.0))), out);
        }
        if mask & BUTTONS != 0 {
            put_varint(u64::from(input.buttons.0), out);
        }
        if mask & WEAPON != 0 {
            out.push(input.weapon_slot);
        }
        if mask & VIEW != 0 {
            put_varint(zigzag(behind.wrapping_sub(last.behind)), out);
        }
        *last = Last { input: *input, behind };
    }
}

/// Reads what a [`TickWriter`] wrote, from a restart on.
#[derive(Clone, Debug, Default)]
pub struct TickReader {
    last: LastInputs,
}

impl TickReader {
    /// Forgets all inputs, where the writer did.
    pub fn restart(&mut self) {
        self.last.0.clear();
    }

    /// Reads one tick into `commands`, which it replaces; gives the hash. `None` when the bytes
    /// are no tick; nothing is allocated that they do not pay for.
    pub fn read(
        &mut self,
        tick: Tick,
        bytes: &mut &[u8],
        commands: &mut Vec<Command>,
    ) -> Option<u32> {
        commands.clear();
        let hash = u32::from_le_bytes(take(bytes)?);
        let count = take_varint(bytes)?;
        let mut slot = 0i32;
        for _ in 0..count {
            let head = take_varint(bytes)?;
            slot = slot.checked_add(unzigzag(head >> 1))?;
            let player = PlayerSlot(u16::try_from(slot).ok()?);
            let action = if head & 1 == 1 {
                Action::Input(self.read_input(player, tick, bytes)?)
            } else {
                let len = usize::try_from(take_varint(bytes)?).ok()?;
                let (mut other, rest) = bytes.split_at_checked(len)?;
                *bytes = rest;
                let command = decode_command(&mut other).ok()?;
                if !other.is_empty() || command.player != player {
                    return None;
                }
                command.action
            };
            commands.push(Command { player, action });
        }
        Some(hash)
    }

    fn read_input(&mut self, slot: PlayerSlot, tick: Tick, bytes: &mut &[u8]) -> Option<Input> {
        let last = self.last.of(slot)?;
        let [mask] = take(bytes)?;
        if mask & !KNOWN != 0 {
            return None;
        }
        let mut input = last.input;
        if mask & MOVE != 0 {
            let [right, forward] = take(bytes)?;
            (input.move_right, input.move_forward) = (right as i8, forward as i8);
        }
        if mask & YAW != 0 {
            let turn = unzigzag(take_varint(bytes)?) as u16;
            input.yaw = Yaw(input.yaw.0.wrapping_add(turn));
        }
        if mask & PITCH != 0 {
            let turn = unzigzag(take_varint(bytes)?) as i16;
            input.pitch = Pitch(input.pitch.0.wrapping_add(turn));
        }
        if mask & BUTTONS != 0 {
            input.buttons = Buttons(u16::try_from(take_varint(bytes)?).ok()?);
        }
        if mask & WEAPON != 0 {
            [input.weapon_slot] = take(bytes)?;
        }
        let mut behind = last.behind;
        if mask & VIEW != 0 {
            behind = behind.wrapping_add(unzigzag(take_varint(bytes)?));
        }
        input.view_tick = Tick(tick.0.wrapping_sub(behind as u32));
        *last = Last { input, behind };
        Some(input)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sortie_sim::command::SpawnAt;
    use sortie_sim::id::Class;

    use super::*;

    prop_compose! {
        fn any_input()(
            (move_right, move_forward) in any::<(i8, i8)>(),
            yaw: u16,
            pitch: i16,
            buttons: u16,
            weapon_slot: u8,
            view_tick: u32,
        ) -> Input {
            Input {
                move_right,
                move_forward,
                yaw: Yaw(yaw),
                pitch: Pitch(pitch),
                buttons: Buttons(buttons),
                weapon_slot,
                view_tick: Tick(view_tick),
            }
        }
    }

    fn any_command() -> impl Strategy<Value = Command> {
        let action = prop_oneof![
            8 => any_input().prop_map(Action::Input),
            1 => Just(Action::Spawn { at: SpawnAt::Squad, class: Class::Medic }),
            1 => Just(Action::Leave),
        ];
        (0..PLAYERS_MAX as u16, action)
            .prop_map(|(slot, action)| Command { player: PlayerSlot(slot), action })
    }

    proptest! {
        #[test]
        fn every_tick_comes_back(
            ticks in prop::collection::vec(prop::collection::vec(any_command(), 0..12), 1..12),
            first: u32,
        ) {
            let (mut writer, mut reader) = (TickWriter::default(), TickReader::default());
            let mut bytes = Vec::new();
            let tick_of = |index: usize| Tick(first.wrapping_add(index as u32));
            for (index, commands) in ticks.iter().enumerate() {
                writer.write(tick_of(index), commands, index as u32, &mut bytes);
            }
            let mut rest = &bytes[..];
            let mut read = Vec::new();
            for (index, commands) in ticks.iter().enumerate() {
                let hash = reader.read(tick_of(index), &mut rest, &mut read);
                prop_assert_eq!(hash, Some(index as u32));
                prop_assert_eq!(&read, commands);
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut read = Vec::new();
            let mut rest = &bytes[..];
            let mut reader = TickReader::default();
            if reader.read(Tick(9), &mut rest, &mut read).is_some() {
                prop_assert!(read.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_held_input_takes_two_bytes() {
        let input = Input { move_forward: 127, view_tick: Tick(5), ..Input::default() };
        let mut writer = TickWriter::default();
        let mut lengths = Vec::new();
        for tick in 10..13 {
            let input = Input { view_tick: Tick(tick - 5), ..input };
            let command = Command { player: PlayerSlot(0), action: Action::Input(input) };
            let mut bytes = Vec::new();
            writer.write(Tick(tick), &[command], 0, &mut bytes);
            lengths.push(bytes.len() - 5);
        }
        assert_eq!(lengths, [5, 2, 2]);
    }
}
