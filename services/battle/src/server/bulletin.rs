//! Reliable messages that can wait a second: scores, names, how the round stands.
//!
//! They are for everybody, and a thousand QUIC packets in one tick, with a thousand
//! acknowledgements in the next, are two ticks of twice the work every second. So each player has
//! a tick of its own in every second, by slot, and is told then what has come up since the last.

use std::collections::VecDeque;
use std::sync::Arc;

use sortie_sim::id::PlayerSlot;
use sortie_wire::message::ServerMessage;

use super::seat::Held;

/// Bulletins of the last two seconds, in order, and the number of the first of them.
#[derive(Debug, Default)]
pub(super) struct Bulletins {
    first: u64,
    entries: VecDeque<Held>,
}

/// Whether a message cannot wait: what just happened in the battle.
pub(super) fn is_urgent(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::KillFeed(_) | ServerMessage::RoundEnded { .. })
}

/// Whether `tick` is the one of its second at which this player is told.
pub(super) fn is_due(slot: PlayerSlot, tick: u32, tick_hz: u16) -> bool {
    (tick + u32::from(slot.0)).is_multiple_of(u32::from(tick_hz))
}

impl Bulletins {
    /// A message for everybody, as of `tick`.
    pub(super) fn push(&mut self, tick: u32, bytes: Arc<[u8]>) {
        self.entries.push_back((tick, bytes));
    }

    /// The number of the next bulletin: a newcomer, who was told everything, starts there.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The bulletins from number `next` on.
    pub(super) fn since(&self, next: u64) -> impl Iterator<Item = &Held> {
        self.entries.iter().skip(next.saturating_sub(self.first) as usize)
    }

    /// Forgets what everybody has been told at `tick`: every player has had its turn in the two
    /// seconds before.
    pub(super) fn forget(&mut self, tick: u32, tick_hz: u16) {
        let old = |entry: &Held| entry.0 + 2 * u32::from(tick_hz) < tick;
        while self.entries.front().is_some_and(old) {
            self.entries.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_told_everything_once_and_no_tick_has_more_than_its_share() {
        let (hz, players) = (60_u16, 900_u16);
        let mut bulletins = Bulletins::default();
        let mut next = vec![0; usize::from(players)];
        let mut told = vec![Vec::new(); usize::from(players)];
        for tick in 1..=600_u32 {
            if tick.is_multiple_of(60) && tick <= 480 {
                bulletins.push(tick, Arc::from([(tick / 60) as u8]));
            }
            let mut due = 0;
            for slot in (0..players).filter(|&slot| is_due(PlayerSlot(slot), tick, hz)) {
                due += 1;
                let of = usize::from(slot);
                told[of].extend(bulletins.since(next[of]).map(|(_, bytes)| bytes[0]));
                next[of] = bulletins.end();
            }
            assert_eq!(due, players / hz);
            bulletins.forget(tick, hz);
            assert!(bulletins.entries.len() <= 3, "what was told is forgotten");
        }
        assert!(told.iter().all(|told| told[..] == [1, 2, 3, 4, 5, 6, 7, 8]));
    }
}
