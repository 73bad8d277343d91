//! The commands of a run of ticks, packed.
//!
//! Nearly all commands are inputs, one a player a tick, and most say what the one before said. So
//! inputs are written as differences to the same player's previous input, and the differences
//! stand in columns, one a field, where the compressor finds them alike. Everything else, seldom,
//! is written with the simulation's own bytes.
//!
//! ```text
//! tick count | each column behind its length:
//!   hashes    u32 a tick, the low half of the state hash
//!   presence  a tick: count, then gap-coded slots whose "gives inputs" flips
//!   masks     u8 an input: which of the fields below differ
//!   moves     right, forward            yaw, pitch   low bytes; high bytes have their own column
//!   buttons   u16 xor                   slots        u8
//!   ages      signed difference of "tick minus view tick"
//!   actions   a tick: count, then commands that are no player's last input
//!   admitted  a tick: count, then admissions
//! ```

use sortie_sim::command::{Action, Buttons, Command, Input, decode_command, encode_command};
use sortie_sim::field::{Pitch, Yaw};
use sortie_sim::id::{PLAYERS_MAX, PlayerSlot, Tick};

use super::bytes::{Parts, put_signed, put_varint};
use super::error::Damage;
use super::names;
use super::roster::Admitted;

/// Ticks in one block, most. A writer closes its groups long before.
pub(crate) const GROUP_TICKS_MAX: u32 = 1_024;

const MOVE: u8 = 1 << 0;
const YAW: u8 = 1 << 1;
const PITCH: u8 = 1 << 2;
const BUTTONS: u8 = 1 << 3;
const SLOT: u8 = 1 << 4;
const AGE: u8 = 1 << 5;
const MASK_ALL: u8 = (1 << 6) - 1;

/// One tick as it is journaled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TickRecord {
    /// The tick that the commands were stepped in.
    pub tick: Tick,
    /// The low half of the state hash after it.
    pub hash: u32,
    /// The commands, in the order in which they were stepped: by slot.
    pub commands: Vec<Command>,
    /// Who was let in by a ticket in this tick; names come from another block.
    pub admitted: Vec<Admitted>,
}

/// What the next difference of each player is taken from; index = slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Previous(Vec<Row>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Row {
    /// Whether an input is expected of this player in each tick.
    present: bool,
    input: Input,
    /// Ticks between an input and what its player saw.
    age: u32,
}

impl Previous {
    fn row(&mut self, slot: usize) -> &mut Row {
        if self.0.len() <= slot {
            self.0.resize(slot + 1, Row::default());
        }
        &mut self.0[slot]
    }

    /// For checkpoints.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u32);
        for row in &self.0 {
            let Input { move_right, move_forward, yaw, pitch, buttons, weapon_slot, .. } =
                row.input;
            out.extend_from_slice(&[u8::from(row.present), move_right as u8, move_forward as u8]);
            out.extend_from_slice(&yaw.0.to_le_bytes());
            out.extend_from_slice(&pitch.0.to_le_bytes());
            out.extend_from_slice(&buttons.0.to_le_bytes());
            out.push(weapon_slot);
            out.extend_from_slice(&row.age.to_le_bytes());
        }
    }

    pub(crate) fn take(parts: &mut Parts<'_>) -> Result<Self, Damage> {
        let count = parts.varint()?;
        let mut rows = Vec::new();
        for _ in 0..count {
            let present = parts.u8()? != 0;
            let input = Input {
                move_right: parts.u8()? as i8,
                move_forward: parts.u8()? as i8,
                yaw: Yaw(parts.u16()?),
                pitch: Pitch(parts.u16()? as i16),
                buttons: Buttons(parts.u16()?),
                weapon_slot: parts.u8()?,
                view_tick: Tick(0),
            };
            rows.push(Row { present, input, age: parts.u32()? });
        }
        Ok(Self(rows))
    }
}

const COLUMNS: usize = 12;

/// The columns by name; the order in the block is the order here.
#[derive(Debug, Default)]
struct Columns {
    hashes: Vec<u8>,
    presence: Vec<u8>,
    masks: Vec<u8>,
    moves: Vec<u8>,
    angles_low: Vec<u8>,
    yaw_high: Vec<u8>,
    pitch_high: Vec<u8>,
    buttons: Vec<u8>,
    slots: Vec<u8>,
    ages: Vec<u8>,
    actions: Vec<u8>,
    admitted: Vec<u8>,
}

impl Columns {
    fn all(&mut self) -> [&mut Vec<u8>; COLUMNS] {
        [
            &mut self.hashes,
            &mut self.presence,
            &mut self.masks,
            &mut self.moves,
            &mut self.angles_low,
            &mut self.yaw_high,
            &mut self.pitch_high,
            &mut self.buttons,
            &mut self.slots,
            &mut self.ages,
            &mut self.actions,
            &mut self.admitted,
        ]
    }
}

/// Packs ticks into groups.
#[derive(Debug, Default)]
pub(crate) struct GroupEncoder {
    pub(crate) previous: Previous,
    first: u32,
    ticks: u32,
    columns: Columns,
    /// Names of those who were let in, for the block before this one.
    names: Vec<u8>,
    /// Inputs of the tick at hand, by slot.
    inputs: Vec<(usize, Input)>,
}

impl GroupEncoder {
    pub(crate) fn new(previous: Previous) -> Self {
        Self { previous, ..Self::default() }
    }

    /// Ticks packed since the last [`take`](Self::take).
    pub(crate) fn ticks(&self) -> u32 {
        self.ticks
    }

    /// Adds the next tick.
    pub(crate) fn push(
        &mut self,
        tick: Tick,
        hash: u32,
        commands: &[Command],
        admitted: &[Admitted],
    ) {
        debug_assert!(self.ticks == 0 || tick.0 == self.first + self.ticks, "ticks without gaps");
        if self.ticks == 0 {
            self.first = tick.0;
        }
        self.ticks += 1;
        self.columns.hashes.extend_from_slice(&hash.to_le_bytes());
        self.split_inputs(commands);
        self.put_presence();
        for index in 0..self.inputs.len() {
            let (slot, input) = self.inputs[index];
            self.put_input(tick, slot, input);
        }
        put_varint(&mut self.columns.admitted, admitted.len() as u32);
        for admitted in admitted {
            admitted.put(&mut self.columns.admitted);
            names::put(&mut self.names, admitted.slot, admitted.key, &admitted.name);
        }
    }

    /// A slot's last command, when it is an input, goes into the columns; the others as they are.
    fn split_inputs(&mut self, commands: &[Command]) {
        self.inputs.clear();
        let is_column = |index: usize| {
            let command: &Command = &commands[index];
            let is_last = commands.get(index + 1).is_none_or(|next| next.player != command.player);
            match command.action {
                Action::Input(input) if is_last => Some(input),
                _ => None,
            }
        };
        let actions = (0..commands.len()).filter(|&index| is_column(index).is_none());
        put_varint(&mut self.columns.actions, actions.clone().count() as u32);
        for index in actions {
            encode_command(&commands[index], &mut self.columns.actions);
        }
        for (index, command) in commands.iter().enumerate() {
            if let Some(input) = is_column(index) {
                self.inputs.push((usize::from(command.player.0), input));
            }
        }
    }

    fn put_presence(&mut self) {
        if let Some(&(last, _)) = self.inputs.last() {
            self.previous.row(last);
        }
        let mut gives = self.inputs.iter().map(|&(slot, _)| slot).peekable();
        let mut flips = Vec::new();
        for (slot, row) in self.previous.0.iter_mut().enumerate() {
            let is_present = gives.next_if_eq(&slot).is_some();
            if std::mem::replace(&mut row.present, is_present) != is_present {
                flips.push(slot);
            }
        }
        put_varint(&mut self.columns.presence, flips.len() as u32);
        let mut next = 0;
        for slot in flips {
            put_varint(&mut self.columns.presence, (slot - next) as u32);
            next = slot + 1;
        }
    }

    fn put_input(&mut self, tick: Tick, slot: usize, input: Input) {
        let row = self.previous.row(slot);
        let before = row.input;
        let columns = &mut self.columns;
        let mut mask = 0;
        if (input.move_right, input.move_forward) != (before.move_right, before.move_forward) {
            mask |= MOVE;
            columns.moves.extend_from_slice(&[input.move_right as u8, input.move_forward as u8]);
        }
        if input.yaw != before.yaw {
            mask |= YAW;
            let [low, high] = input.yaw.0.wrapping_sub(before.yaw.0).to_le_bytes();
            columns.angles_low.push(low);
            columns.yaw_high.push(high);
        }
        if input.pitch != before.pitch {
            mask |= PITCH;
            let [low, high] = input.pitch.0.wrapping_sub(before.pitch.0).to_le_bytes();
            columns.angles_low.push(low);
            columns.pitch_high.push(high);
        }
        if input.buttons != before.buttons {
            mask |= BUTTONS;
            let xor = input.buttons.0 ^ before.buttons.0;
            columns.buttons.extend_from_slice(&xor.to_le_bytes());
        }
        if input.weapon_slot != before.weapon_slot {
            mask |= SLOT;
            columns.slots.push(input.weapon_slot);
        }
        let age = tick.0.wrapping_sub(input.view_tick.0);
        if age != row.age {
            mask |= AGE;
            put_signed(&mut columns.ages, age.wrapping_sub(row.age) as i32);
        }
        columns.masks.push(mask);
        (row.input, row.age) = (input, age);
    }

    /// The block of names that belongs before the block of ticks, with the tick before them; `None`
    /// without any.
    pub(crate) fn take_names(&mut self, out: &mut Vec<u8>) -> Option<u32> {
        if self.names.is_empty() {
            return None;
        }
        out.append(&mut self.names);
        Some(self.first - 1)
    }

    /// The block of all ticks since the last call, with its first and last tick; `None` without
    /// any.
    pub(crate) fn take(&mut self, out: &mut Vec<u8>) -> Option<(u32, u32)> {
        if self.ticks == 0 {
            return None;
        }
        put_varint(out, self.ticks);
        for column in self.columns.all() {
            put_varint(out, column.len() as u32);
            out.extend_from_slice(column);
            column.clear();
        }
        let ticks = std::mem::take(&mut self.ticks);
        Some((self.first, self.first + ticks - 1))
    }
}

/// Unpacks a block of ticks `first..=last`, oldest first. Memory grows with the ticks' content.
pub(crate) fn decode_group(
    block: &[u8],
    (first, last): (u32, u32),
    previous: &mut Previous,
) -> Result<Vec<TickRecord>, Damage> {
    let mut parts = Parts::new(block);
    let ticks = parts.varint()?;
    if ticks > GROUP_TICKS_MAX || last.checked_sub(first) != ticks.checked_sub(1) {
        return Err(Damage("it holds other ticks than its head says"));
    }
    let mut columns = [Parts::new(&[]); COLUMNS];
    for column in &mut columns {
        *column = Parts::new(parts.blob()?);
    }
    if !parts.is_empty() {
        return Err(Damage("it goes on after its end"));
    }
    let mut records = Vec::new();
    for tick in first..=last {
        records.push(decode_tick(Tick(tick), &mut columns, previous)?);
    }
    let is_done = columns.iter().all(Parts::is_empty);
    if is_done { Ok(records) } else { Err(Damage("a column is too long")) }
}

fn decode_tick(
    tick: Tick,
    columns: &mut [Parts<'_>; COLUMNS],
    previous: &mut Previous,
) -> Result<TickRecord, Damage> {
    let [hashes, presence, inputs @ .., actions, admitted] = columns;
    let hash = hashes.u32()?;
    let mut slot = 0;
    for _ in 0..presence.varint()? {
        slot += presence.varint()? as usize;
        if slot >= PLAYERS_MAX {
            return Err(Damage("a player has no slot"));
        }
        let row = previous.row(slot);
        row.present = !row.present;
        slot += 1;
    }
    let mut merged = Merge { commands: Vec::new(), actions: Vec::new(), next: 0 };
    for _ in 0..actions.varint()? {
        let command = decode_command(actions.rest()).map_err(|error| Damage(error.0))?;
        merged.actions.push(command);
    }
    for (slot, row) in previous.0.iter_mut().enumerate().filter(|(_, row)| row.present) {
        take_input(tick, row, inputs)?;
        merged.input(PlayerSlot(slot as u16), row.input);
    }
    let commands = merged.finish();
    let mut record = TickRecord { tick, hash, commands, admitted: Vec::new() };
    for _ in 0..admitted.varint()? {
        record.admitted.push(Admitted::take(admitted)?);
    }
    Ok(record)
}

/// Brings actions and inputs together in the order in which they were stepped.
struct Merge {
    commands: Vec<Command>,
    actions: Vec<Command>,
    next: usize,
}

impl Merge {
    fn input(&mut self, player: PlayerSlot, input: Input) {
        self.actions_until(player);
        self.commands.push(Command { player, action: Action::Input(input) });
    }

    fn actions_until(&mut self, player: PlayerSlot) {
        let before = self.actions[self.next..].iter().take_while(|action| action.player <= player);
        let count = before.count();
        self.commands.extend_from_slice(&self.actions[self.next..self.next + count]);
        self.next += count;
    }

    fn finish(mut self) -> Vec<Command> {
        self.commands.extend_from_slice(&self.actions[self.next..]);
        self.commands
    }
}

fn take_input(tick: Tick, row: &mut Row, columns: &mut [Parts<'_>]) -> Result<(), Damage> {
    let [masks, moves, angles_low, yaw_high, pitch_high, buttons, slots, ages] = columns else {
        unreachable!("the columns of inputs are these eight");
    };
    let mask = masks.u8()?;
    if mask & !MASK_ALL != 0 {
        return Err(Damage("an input has unknown fields"));
    }
    let input = &mut row.input;
    if mask & MOVE != 0 {
        (input.move_right, input.move_forward) = (moves.u8()? as i8, moves.u8()? as i8);
    }
    if mask & YAW != 0 {
        let turn = u16::from_le_bytes([angles_low.u8()?, yaw_high.u8()?]);
        input.yaw = Yaw(input.yaw.0.wrapping_add(turn));
    }
    if mask & PITCH != 0 {
        let turn = i16::from_le_bytes([angles_low.u8()?, pitch_high.u8()?]);
        input.pitch = Pitch(input.pitch.0.wrapping_add(turn));
    }
    if mask & BUTTONS != 0 {
        input.buttons = Buttons(input.buttons.0 ^ buttons.u16()?);
    }
    if mask & SLOT != 0 {
        input.weapon_slot = slots.u8()?;
    }
    if mask & AGE != 0 {
        row.age = row.age.wrapping_add(ages.signed()? as u32);
    }
    input.view_tick = Tick(tick.0.wrapping_sub(row.age));
    Ok(())
}
