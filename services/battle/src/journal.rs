//! The journal: what a battle server writes while a battle runs. A closed journal is its replay.
//!
//! A header, then for every tick the commands that were stepped in it and a hash of the state
//! after it, now and then a checkpoint, at the end an end. Names stand apart, so that erasure can
//! blank them. Layout: `block.rs` for the file, `group.rs` for the ticks, `names.rs` for the names.
//! Start with [`Journal`] to write and [`JournalReader`] to read.

mod blank;
mod block;
mod bytes;
mod checkpoint;
mod error;
mod file;
mod group;
mod header;
mod names;
mod reader;
mod roster;
mod tally;
mod writer;

pub use blank::blank;
pub use block::{BLOCK_BYTES_MAX, BLOCK_HEAD_BYTES, FORMAT_VERSION, Head, Kind, PREAMBLE_BYTES};
pub use checkpoint::{Checkpoint, End};
pub use error::{Damage, JournalError};
pub use group::TickRecord;
pub use header::JournalHeader;
pub use names::Named;
pub use reader::{BlockPosition, Found, JournalReader, Tail, Walk};
pub use roster::{Admitted, JournalRoster, Totals};
pub use tally::{EVENTS_MAX, KILLS_MAX, PlayerTally, Tally, TallyEvent, TallyEventKind};
pub use writer::{Journal, JournalOptions};
