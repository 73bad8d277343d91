//! What both sides take from their QUIC connection: one secret a direction.

/// Label of the TLS exporter (RFC 8446, section 7.5).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-sortie-sealed-lane";

/// Bytes to take from the exporter.
pub const EXPORTER_BYTES: usize = 64;

/// The exporter's context: the session id as it stands in packets, then the suite. Whoever were
/// made to use another id or suite than the peer would get other keys.
pub fn exporter_context(session: u32, suite: Suite) -> [u8; 5] {
    let [a, b, c, d] = session.to_le_bytes();
    [a, b, c, d, suite as u8]
}

/// The AEAD of a lane, agreed upon when the lane is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    /// AES-128-GCM: for everything with AES instructions.
    Aes128Gcm = 1,
    /// ChaCha20-Poly1305: for devices without them.
    ChaCha20Poly1305 = 2,
}

impl Suite {
    /// Every suite, in order of preference.
    pub const ALL: [Self; 2] = [Self::Aes128Gcm, Self::ChaCha20Poly1305];

    /// The suite of a number that the peer sent, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&suite| suite as u8 == number)
    }
}

/// Which end of a lane this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that opened the QUIC connection.
    Client,
    /// The one that chose the session id.
    Server,
}

/// The secrets of both directions in their first phase. Not printable, on purpose.
#[derive(Clone)]
pub struct LaneSecrets {
    /// For packets from the client to the server.
    pub client: [u8; 32],
    /// For packets from the server to the client.
    pub server: [u8; 32],
}

impl LaneSecrets {
    /// From what the exporter gave for [`EXPORTER_LABEL`] and [`exporter_context`].
    pub fn from_exporter(exported: [u8; EXPORTER_BYTES]) -> Self {
        let (mut client, mut server) = ([0; 32], [0; 32]);
        client.copy_from_slice(&exported[..32]);
        server.copy_from_slice(&exported[32..]);
        Self { client, server }
    }

    /// The secret that `side` seals with.
    pub fn sealing(&self, side: Side) -> &[u8; 32] {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// The secret that `side` opens with: the peer's.
    pub fn opening(&self, side: Side) -> &[u8; 32] {
        match side {
            Side::Client => &self.server,
            Side::Server => &self.client,
        }
    }
}
