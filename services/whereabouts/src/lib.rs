//! Where players are: each waits in one queue, sits in one open room, or has a seat in one battle
//! that is not over; and is in one party, which waits as a whole.
//!
//! All ways to a place lead through here, and nothing else writes the rows that say so: this crate
//! owns `ticket_open`, `party_member`, `room_player` and `battle_player` (a test in `infra/tidy`
//! looks). Whoever brings players somewhere claims them first ([`claim`]): the lock is held until
//! the transaction ends, and each place is taken first and looked at afterwards, in the view
//! `whereabouts`, so that of many who try at once one succeeds. From a queue or a room into a
//! battle ([`queue::into_battles`], [`room::start`]) the players are moved: who has the place that
//! they leave needs no lock. Leaving is free, and done by whoever ends a place.
//!
//! Locks are taken in this order: a party, room or queue's battle, players, matches and tickets.
//!
//! What is deliberately absent: what a party, a room, a ticket or a battle is, and who may do what
//! with it. Callers have locked it.

mod claim;
pub mod party;
pub mod queue;
pub mod room;
pub mod seat;

pub use claim::{Claim, Place, PlaceError, claim};
