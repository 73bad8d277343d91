//! Snapshots: what one client may know at one tick, as the difference to a snapshot it has.
//!
//! Rules, before any mechanism:
//! - A snapshot is coded against at most one baseline: a snapshot that the client acknowledged.
//!   Without one it is *full*.
//! - After decoding, the client holds a complete set of entities. An entity of the baseline that
//!   the snapshot does not mention keeps the state that it has there.
//! - Records stand in strictly rising order of id. A record is a *delta* from the baseline's
//!   state, a *full* state, or a *removal*.
//! - A value has exactly one encoding: a decoder refuses all others, so that bytes and meaning
//!   can be compared for each other.
//!
//! [`SnapshotEncoder`] writes into the caller's buffer without allocating; it knows no budget and
//! no interest. [`Snapshot::decode`] is its mirror.

mod decoder;
mod encoder;
mod entity;
mod header;
mod own;
mod sense;

pub use decoder::{Change, Snapshot, SnapshotReader};
pub use encoder::{Full, SnapshotEncoder, gap_bits_for};
pub use header::SnapshotHeader;
pub use sense::{HitMarker, Sound, SoundKind};
