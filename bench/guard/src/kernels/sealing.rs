//! Packets through both ends of a lane, and through the bare AEAD for what the lane adds to it.

use std::time::Instant;

use sortie_sealed::{Keys, Lane, LaneConfig, LaneSecrets, Side, Suite};

/// Packets of a run: more than a report's interval.
const PACKETS: u32 = 64;

/// Bytes of a lane's header.
const HEADER_BYTES: usize = 9;

/// Both ends of a lane.
pub struct Ends {
    from: Lane,
    to: Lane,
    payload: Vec<u8>,
    packets: Vec<Vec<u8>>,
    now: Instant,
}

impl Ends {
    /// A lane from `side` to its peer for payloads of `bytes`; a few packets have passed.
    pub fn new(side: Side, bytes: usize) -> Self {
        let (now, peer) = (Instant::now(), other(side));
        let lane = |side| {
            let secrets = LaneSecrets::from_exporter([3; 64]);
            Lane::new(side, Suite::Aes128Gcm, &secrets, 7, now, LaneConfig::default())
        };
        let packets = (0..PACKETS).map(|_| Vec::with_capacity(1_400)).collect();
        let (from, to) = (lane(side), lane(peer));
        let mut ends = Self { from, to, payload: vec![7; bytes], packets, now };
        ends.seal();
        ends.open();
        ends
    }

    /// Packets are sealed and wait to be opened.
    pub fn sealed(side: Side, bytes: usize) -> Self {
        let mut ends = Self::new(side, bytes);
        ends.seal();
        ends
    }

    /// Seals the packets; gives their bytes.
    ///
    /// # Panics
    /// The lane is used up.
    pub fn seal(&mut self) -> usize {
        let mut bytes = 0;
        for packet in &mut self.packets {
            packet.clear();
            let write = |out: &mut Vec<u8>| out.extend_from_slice(&self.payload);
            self.from.seal(self.now, write, packet).expect("numbers are left");
            bytes += packet.len();
        }
        bytes
    }

    /// Opens the packets; gives the bytes of their payloads.
    ///
    /// # Panics
    /// They were opened before.
    pub fn open(&mut self) -> usize {
        let mut bytes = 0;
        for packet in &mut self.packets {
            bytes += self.to.open(self.now, packet).expect("authentic").payload.len();
        }
        bytes
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

/// The cipher alone, on the same bytes.
pub struct Bare {
    from: Keys,
    to: Keys,
    payload: Vec<u8>,
    packets: Vec<Vec<u8>>,
}

impl Bare {
    /// Keys for payloads of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let keys = || Keys::new(Suite::Aes128Gcm, &[3; 32]);
        let packets = (0..PACKETS).map(|_| Vec::with_capacity(1_400)).collect();
        Self { from: keys(), to: keys(), payload: vec![7; bytes], packets }
    }

    /// Packets are sealed and wait to be opened.
    pub fn sealed(bytes: usize) -> Self {
        let mut bare = Self::new(bytes);
        bare.seal();
        bare
    }

    /// Seals the packets; gives their bytes.
    pub fn seal(&mut self) -> usize {
        let mut bytes = 0;
        for (number, packet) in (0..).zip(&mut self.packets) {
            packet.clear();
            packet.extend_from_slice(&self.payload);
            let tag = self.from.seal_in_place(number, &[1; HEADER_BYTES], packet);
            packet.extend_from_slice(&tag);
            bytes += packet.len();
        }
        bytes
    }

    /// Opens the packets; gives the bytes of their payloads.
    ///
    /// # Panics
    /// They were opened before.
    pub fn open(&mut self) -> usize {
        let mut bytes = 0;
        for (number, packet) in (0..).zip(&mut self.packets) {
            let opened = self.to.open_in_place(number, &[1; HEADER_BYTES], packet);
            bytes += opened.expect("authentic").len();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_open_on_the_other_side() {
        for side in [Side::Client, Side::Server] {
            let payloads = PACKETS as usize * 40;
            assert_eq!(Ends::sealed(side, 40).open(), payloads);
            assert_eq!(Bare::sealed(40).open(), payloads);
        }
    }
}
