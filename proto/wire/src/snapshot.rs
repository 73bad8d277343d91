//! Snapshots: what one client may know at one tick, as the difference to a snapshot it has.
//!
//! Rules, before any mechanism:
//! - A snapshot is coded against at most one baseline: a snapshot that the client acknowledged.
//!   Without one it is *full*.
//! - After decoding, the client holds a complete set of entities. An entity of the baseline that
//!   the snapshot does not mention keeps the state that it has there.
//! - First come records of the baseline's entities, in their order: a *delta* from where the entity
//!   is expected, a *full* state, or a *removal*. Then come the entities that enter, in rising
//!   order of id, each with its full state.
//! - Who moved from one snapshot to the next is expected to go on like that ([`Motion`]).
//! - A value has exactly one encoding: a decoder refuses all others, so that bytes and meaning
//!   can be compared for each other.
//!
//! [`SnapshotEncoder`] writes into the caller's buffer without allocating; it knows no budget and
//! no interest. [`Snapshot::decode`] is its mirror.

mod decoder;
mod encoder;
mod entity;
mod header;
mod motion;
mod own;
mod residual;
mod sense;

pub use decoder::{Change, Snapshot, SnapshotReader, is_carried_on};
pub use encoder::{Full, GAP_BITS_MOST, SnapshotEncoder, gap_bits_for};
pub use entity::{DeltaCode, Scale};
pub use header::{SnapshotHeader, Tuning};
pub use motion::Motion;
pub use residual::{SCALE_MAX, folded, scale_for};
pub use sense::{HitMarker, Sound, SoundKind};
