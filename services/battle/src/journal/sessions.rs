//! What is known of players beside the battle: names and the tickets that let them in.

use super::cursor::{put_text, put_varint, take, take_text, take_varint};

/// A player was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The player's slot in the battle.
    pub slot: u16,
    /// The name that others see.
    pub name: String,
    /// The ticket that was used for it.
    pub ticket_id: u128,
    /// When that ticket expires, milliseconds since 1970; until then it must not be used again.
    pub ticket_expires_ms: u64,
}

impl SessionRecord {
    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(u64::from(self.slot), out);
        put_text(&self.name, out);
        out.extend_from_slice(&self.ticket_id.to_le_bytes());
        out.extend_from_slice(&self.ticket_expires_ms.to_le_bytes());
    }

    /// Reads all records of a block's plain body; `None` when it holds anything else.
    pub fn decode_all(mut bytes: &[u8]) -> Option<Vec<Self>> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            records.push(Self {
                slot: u16::try_from(take_varint(&mut bytes)?).ok()?,
                name: take_text(&mut bytes)?,
                ticket_id: u128::from_le_bytes(take(&mut bytes)?),
                ticket_expires_ms: u64::from_le_bytes(take(&mut bytes)?),
            });
        }
        Some(records)
    }
}
