//! Checkpoint and end blocks.

use super::bytes::{Parts, put_blob};
use super::error::Damage;
use super::group::Previous;
use super::roster::JournalRoster;

/// The whole state after a tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The simulation's own bytes.
    pub battle: Vec<u8>,
    /// The players beyond the simulation. Their names stand apart in the journal.
    pub roster: JournalRoster,
}

impl Checkpoint {
    pub(super) fn to_bytes(&self, previous: &Previous) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.battle.len() + 4_096);
        put_blob(&mut out, &self.battle);
        self.roster.put(&mut out);
        previous.put(&mut out);
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<(Self, Previous), Damage> {
        let mut parts = Parts::new(bytes);
        let battle = parts.blob()?.to_owned();
        let roster = JournalRoster::take(&mut parts)?;
        let previous = Previous::take(&mut parts)?;
        if !parts.is_empty() {
            return Err(Damage("it goes on after its end"));
        }
        Ok((Self { battle, roster }, previous))
    }
}

/// How a battle ended in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Its last tick.
    pub tick: u32,
    /// The state hash after it.
    pub hash: u64,
}

impl End {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut out = self.tick.to_le_bytes().to_vec();
        out.extend_from_slice(&self.hash.to_le_bytes());
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Damage> {
        let mut parts = Parts::new(bytes);
        let end = Self { tick: parts.u32()?, hash: parts.u64()? };
        if parts.is_empty() { Ok(end) } else { Err(Damage("it goes on after its end")) }
    }
}
