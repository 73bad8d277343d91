//! Sampled clients: they decode everything, and keep what they were told for the oracle.

use std::time::{Duration, Instant};

use sortie_session::client::{ClientSession, SnapshotVerdict};

/// What a client held of one entity after a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Entity id.
    pub id: u32,
    /// The tick that the state is of.
    pub since: u32,
    /// East, up (with its offset), south, centimetres.
    pub cm: [u32; 3],
    /// Heading, quantised.
    pub yaw: u16,
}

/// What a client held after one snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientSnapshot {
    /// The client's own slot.
    pub slot: u16,
    /// The snapshot's tick.
    pub tick: u32,
    /// The own soldier's position, exact, metres.
    pub own: [f32; 3],
    /// Everyone it knew of.
    pub told: Vec<Told>,
}

/// A client that decodes.
#[derive(Debug)]
pub struct Watch {
    session: ClientSession,
    slot: u16,
    /// What is kept.
    pub seen: Vec<ClientSnapshot>,
    /// Snapshots that could not be decoded.
    pub undecodable: u64,
}

impl Watch {
    /// A client that was welcomed at `tick` as `slot`.
    pub fn new(now: Instant, tick_hz: u16, tick: u32, slot: u16) -> Self {
        let session = ClientSession::new(now, tick_hz, tick, Duration::ZERO);
        Self { session, slot, seen: Vec::new(), undecodable: 0 }
    }

    /// Reads a snapshot; `keep` says of which ticks it is kept. Whether it could be read: only then
    /// may it be acknowledged.
    pub fn take(&mut self, now: Instant, datagram: &[u8], keep: impl Fn(u32) -> bool) -> bool {
        match self.session.handle_snapshot(now, datagram) {
            SnapshotVerdict::Newest => {}
            SnapshotVerdict::Stale => return true,
            SnapshotVerdict::Undecodable(_) => {
                self.undecodable += 1;
                return false;
            }
        }
        let Some(received) = self.session.newest() else { return true };
        let snapshot = &received.snapshot;
        if !keep(snapshot.header.tick) {
            return true;
        }
        let soldiers = snapshot.entities.iter().zip(&received.since);
        let told =
            soldiers.filter(|((_, state), _)| state.is_soldier()).map(|((id, state), &since)| {
                Told { id: *id, since, cm: state.position_cm(), yaw: state.yaw }
            });
        self.seen.push(ClientSnapshot {
            slot: self.slot,
            tick: snapshot.header.tick,
            own: snapshot.own.pos,
            told: told.collect(),
        });
        true
    }
}
