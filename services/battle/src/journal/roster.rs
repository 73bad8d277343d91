//! What a battle server knows of its players beyond the simulation, and must not forget: their
//! names, the tickets that were used, and what counts for the result.

use sortie_sim::event::{Event, TickOutput};
use sortie_sim::id::{PlayerKey, PlayerSlot};

use super::bytes::{Parts, put_varint};
use super::error::Damage;
use super::names::Named;
use super::tally::Tally;
use crate::admission::UsedTickets;

/// A ticket that let a player in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The player's place.
    pub slot: PlayerSlot,
    /// Who it is to the control plane.
    pub key: PlayerKey,
    /// The ticket; it is good for nothing any more.
    pub ticket_id: u128,
    /// The name that others see; empty when it was blanked.
    pub name: String,
}

impl Admitted {
    /// All but the name, which stands apart.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.slot.0.to_le_bytes());
        out.extend_from_slice(&self.key.0.to_le_bytes());
        out.extend_from_slice(&self.ticket_id.to_le_bytes());
    }

    pub(super) fn take(parts: &mut Parts<'_>) -> Result<Self, Damage> {
        Ok(Self {
            slot: PlayerSlot(parts.u16()?),
            key: PlayerKey(parts.u128()?),
            ticket_id: parts.u128()?,
            name: String::new(),
        })
    }
}

/// What happened since the battle began, for its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Shots fired.
    pub shots: u64,
    /// Wounds dealt to others.
    pub hits: u64,
    /// Soldiers downed by an enemy.
    pub kills: u64,
    /// Points that got a new owner.
    pub captures: u64,
    /// Regions that were split.
    pub splits: u64,
    /// Pairs of regions that were merged.
    pub merges: u64,
    /// Most regions at a time.
    pub regions_max: u64,
    /// Players that joined.
    pub joins: u64,
}

impl Totals {
    /// Counts one event.
    pub fn count(&mut self, event: &Event) {
        match event {
            Event::Shot { .. } => self.shots += 1,
            Event::Hit { shooter, victim, .. } if shooter != victim => self.hits += 1,
            Event::Downed { victim, killer: Some(killer), .. } if killer != victim => {
                self.kills += 1;
            }
            Event::PointOwner { owner: Some(_), .. } => self.captures += 1,
            Event::Joined { .. } => self.joins += 1,
            _ => {}
        }
    }

    fn all(&mut self) -> [&mut u64; 8] {
        [
            &mut self.shots,
            &mut self.hits,
            &mut self.kills,
            &mut self.captures,
            &mut self.splits,
            &mut self.merges,
            &mut self.regions_max,
            &mut self.joins,
        ]
    }
}

/// The players beyond the simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalRoster {
    /// Names; index = slot.
    pub names: Vec<String>,
    /// All tickets that were used.
    pub used_tickets: UsedTickets,
    /// What happened so far.
    pub totals: Totals,
    /// What each player did, for the result.
    pub tally: Tally,
}

impl JournalRoster {
    /// Counts what happened in a tick.
    pub fn note_tick(&mut self, output: &TickOutput) {
        let totals = &mut self.totals;
        output.events.iter().for_each(|event| totals.count(event));
        totals.splits += u64::from(output.report.splits);
        totals.merges += u64::from(output.report.merges);
        totals.regions_max = totals.regions_max.max(u64::from(output.report.regions));
        self.tally.note(output);
    }

    /// Notes an admission.
    pub fn admit(&mut self, admitted: &Admitted) {
        self.set_name(admitted.slot, &admitted.name);
        self.used_tickets.insert(admitted.ticket_id);
    }

    /// Takes a name of a journal.
    pub fn name_as(&mut self, named: &Named) {
        self.set_name(named.slot, &named.name);
    }

    /// Gives a player a name.
    fn set_name(&mut self, slot: PlayerSlot, name: &str) {
        let slot = usize::from(slot.0);
        if self.names.len() <= slot {
            self.names.resize(slot + 1, String::new());
        }
        name.clone_into(&mut self.names[slot]);
    }

    /// The name of a player; empty for nobody.
    pub fn name(&self, slot: PlayerSlot) -> &str {
        self.names.get(usize::from(slot.0)).map_or("", String::as_str)
    }

    /// All but the names, which stand apart.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.used_tickets.len() as u32);
        for id in &self.used_tickets {
            out.extend_from_slice(&id.to_le_bytes());
        }
        let mut totals = self.totals;
        totals.all().iter().for_each(|total| out.extend_from_slice(&total.to_le_bytes()));
        self.tally.put(out);
    }

    pub(super) fn take(parts: &mut Parts<'_>) -> Result<Self, Damage> {
        let mut roster = Self::default();
        for _ in 0..parts.varint()? {
            roster.used_tickets.insert(parts.u128()?);
        }
        for total in roster.totals.all() {
            *total = parts.u64()?;
        }
        roster.tally = Tally::take(parts)?;
        Ok(roster)
    }
}
