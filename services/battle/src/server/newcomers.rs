//! What of a tick newcomers may take, so that a rush to the battle does not slow it.

use std::time::Duration;

/// The server's side of a handshake at most: a signature under the certificate, keys, some packets.
const HANDSHAKE: Duration = Duration::from_millis(1);

/// Part of a tick that each shard may spend on handshakes: a fifth. At 60 Hz two hundred players
/// are let in within little more than a second.
const HANDSHAKES_PART: u32 = 5;

/// An answer to a hello at most: a check of a ticket's Ed25519 signature, the rest is little.
const HELLO: Duration = Duration::from_micros(60);

/// Part of a tick for hellos: a sixteenth. All shards wait meanwhile, so it is less.
const HELLOS_PART: u32 = 16;

/// How many newcomers one tick deals with; more wait for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewcomerBudget {
    /// Handshakes that one shard begins in a tick, at least 1.
    pub handshakes: usize,
    /// Hellos that are answered in a tick, of all shards together, at least 1.
    pub hellos: usize,
}

impl NewcomerBudget {
    /// For ticks of this length.
    pub(super) fn of(period: Duration) -> Self {
        let fit = |part: u32, one: Duration| {
            let count = (period / part).as_nanos() / one.as_nanos();
            usize::try_from(count).unwrap_or(usize::MAX).max(1)
        };
        Self { handshakes: fit(HANDSHAKES_PART, HANDSHAKE), hellos: fit(HELLOS_PART, HELLO) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcomers_take_the_same_part_of_long_and_short_ticks() {
        for (tick_hz, handshakes, hellos) in [(20, 10, 52), (60, 3, 17), (128, 1, 8)] {
            let period = Duration::from_secs(1) / tick_hz;
            let budget = NewcomerBudget::of(period);
            assert_eq!(budget, NewcomerBudget { handshakes, hellos }, "{tick_hz} Hz");
        }
        let tiny = NewcomerBudget::of(Duration::from_micros(1));
        assert_eq!(tiny, NewcomerBudget { handshakes: 1, hellos: 1 }, "somebody always gets in");
    }
}
