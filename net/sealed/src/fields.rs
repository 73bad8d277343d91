//! What stands in front of the payload in the plaintext, when the header announces it.

use crate::error::OpenError;
use crate::header::Header;

/// Bytes of a challenge or its echo.
pub const CHALLENGE_BYTES: usize = 8;

/// Bytes of a report.
pub const REPORT_BYTES: usize = 10;

/// An unpredictable number that whoever receives packets at an address can echo, and nobody else.
pub type Challenge = [u8; CHALLENGE_BYTES];

/// What one side has received of the other's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The highest packet number that arrived.
    pub highest: u32,
    /// Packets that arrived in total, each number once.
    pub received: u32,
    /// Milliseconds from the arrival of `highest` to this report; 65,535 stands for more too.
    pub delay_ms: u16,
}

/// The optional fields of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields {
    /// From the server: prove that you are there. From the client: the proof.
    pub challenge: Option<Challenge>,
    /// What the sender received.
    pub report: Option<Report>,
}

impl Fields {
    /// Appends the fields to `out`, the challenge first. The header has to announce them.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(challenge) = &self.challenge {
            out.extend_from_slice(challenge);
        }
        if let Some(report) = &self.report {
            out.extend_from_slice(&report.highest.to_le_bytes());
            out.extend_from_slice(&report.received.to_le_bytes());
            out.extend_from_slice(&report.delay_ms.to_le_bytes());
        }
    }

    /// Splits a plaintext into the fields that `header` announces, and the payload.
    ///
    /// # Errors
    /// [`OpenError::Malformed`] when the plaintext is too short for them.
    pub fn read<'a>(header: &Header, plain: &'a [u8]) -> Result<(Self, &'a [u8]), OpenError> {
        let (challenge, plain) = match header.challenge {
            true => {
                let (&challenge, rest) = plain.split_first_chunk().ok_or(OpenError::Malformed)?;
                (Some(challenge), rest)
            }
            false => (None, plain),
        };
        let (report, payload) = match header.report {
            true => {
                let (&[a, b, c, d, e, f, g, h, i, j], rest) =
                    plain.split_first_chunk::<REPORT_BYTES>().ok_or(OpenError::Malformed)?;
                let report = Report {
                    highest: u32::from_le_bytes([a, b, c, d]),
                    received: u32::from_le_bytes([e, f, g, h]),
                    delay_ms: u16::from_le_bytes([i, j]),
                };
                (Some(report), rest)
            }
            false => (None, plain),
        };
        Ok((Self { challenge, report }, payload))
    }
}
