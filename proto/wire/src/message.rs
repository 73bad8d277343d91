//! Messages on the ordered stream, coded by bincode 2: standard configuration, little-endian,
//! variable-length integers.
//!
//! On the stream each message stands behind its length, two bytes, big-endian; taking a stream
//! apart is the lane's business, which knows nothing of what is inside.
//!
//! bincode stays behind this module: nothing else in the workspace names it. Every length is
//! checked before anything is allocated, and a message must be the one encoding of its value.

mod bounded;
mod client;
mod server;

use bincode::{Decode, Encode, enc::write::Writer, error::EncodeError};

pub use bounded::{Blob, List, Text};
pub use client::{ClientMessage, Credential, Hello, SpawnAt};
pub use server::{
    FeedEntry, LoadStep, PlayerEntry, PointState, RoundState, ScoreEntry, ServerMessage, Welcome,
};

use crate::{
    error::DecodeError,
    limits::{CLIENT_MESSAGE_BYTES_MAX, DOCUMENTS_BYTES_MAX, MESSAGE_BYTES_MAX, PROTOCOL_VERSION},
};

/// The message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It would be longer than messages may be.
    #[error("message is too long")]
    TooLong,
}

/// bincode counts the memory of decoded values against this; a message of the greatest length
/// stays below.
const MEMORY_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;

type Config = bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<MEMORY_BYTES_MAX>,
>;

const CONFIG: Config = bincode::config::standard().with_limit::<MEMORY_BYTES_MAX>();

impl ClientMessage {
    /// The message's bytes, without a length in front.
    ///
    /// # Errors
    /// `TooLong` never happens to a message of bounded parts.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        encode(self, CLIENT_MESSAGE_BYTES_MAX)
    }

    /// Reads one whole message.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong; never a panic.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, CLIENT_MESSAGE_BYTES_MAX).map_err(|error| match hello_version(bytes) {
            Some(version) if version != PROTOCOL_VERSION && error != DecodeError::TooLong => {
                DecodeError::OtherVersion
            }
            _ => error,
        })
    }
}

/// The version that a hello of any version states.
fn hello_version(bytes: &[u8]) -> Option<u16> {
    let start = bytes.strip_prefix(&[0])?;
    bincode::decode_from_slice::<u16, _>(start, CONFIG).ok().map(|(version, _)| version)
}

impl ServerMessage {
    /// The message's bytes, without a length in front.
    ///
    /// # Errors
    /// `TooLong` when the documents of a welcome are together longer than 60 KiB.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        if let Self::Welcome(welcome) = self
            && !welcome.has_room_for_documents()
        {
            return Err(MessageError::TooLong);
        }
        encode(self, MESSAGE_BYTES_MAX)
    }

    /// Reads one whole message.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong; never a panic.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message = decode(bytes, MESSAGE_BYTES_MAX)?;
        match &message {
            Self::Welcome(welcome) if !welcome.has_room_for_documents() => {
                Err(DecodeError::OutOfRange)
            }
            _ => Ok(message),
        }
    }
}

impl Welcome {
    fn has_room_for_documents(&self) -> bool {
        self.map.len() + self.rules.len() <= DOCUMENTS_BYTES_MAX
    }
}

fn encode(message: &impl Encode, bytes_max: usize) -> Result<Vec<u8>, MessageError> {
    // Writing to memory fails for lack of memory only.
    let bytes = bincode::encode_to_vec(message, CONFIG).map_err(|_| MessageError::TooLong)?;
    if bytes.len() > bytes_max {
        return Err(MessageError::TooLong);
    }
    Ok(bytes)
}

fn decode<M: Encode + Decode<()>>(bytes: &[u8], bytes_max: usize) -> Result<M, DecodeError> {
    if bytes.len() > bytes_max {
        return Err(DecodeError::TooLong);
    }
    let (message, used) =
        bincode::decode_from_slice::<M, _>(bytes, CONFIG).map_err(|error| match error {
            bincode::error::DecodeError::UnexpectedEnd { .. } => DecodeError::Truncated,
            bincode::error::DecodeError::LimitExceeded => DecodeError::OutOfRange,
            bincode::error::DecodeError::Utf8 { .. } => DecodeError::NotText,
            _ => DecodeError::Message,
        })?;
    if used < bytes.len() {
        return Err(DecodeError::Trailing);
    }
    // bincode also reads numbers in a longer form than it writes.
    let again = bincode::encode_into_writer(&message, Comparison { left: bytes }, CONFIG);
    again.map_err(|_| DecodeError::NotCanonical)?;
    Ok(message)
}

/// A writer that accepts only the bytes it was made with.
struct Comparison<'a> {
    left: &'a [u8],
}

impl Writer for Comparison<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.left = self.left.strip_prefix(bytes).ok_or(EncodeError::UnexpectedEnd)?;
        Ok(())
    }
}
