//! Messages on a byte stream: two bytes of length, big-endian, then the message.

use super::MessageError;
use crate::limits::{FRAME_PREFIX_BYTES, MESSAGE_BYTES_MAX};

/// Appends one message with its length.
///
/// # Errors
/// `TooLong` when it has more than 65,535 bytes; nothing is appended then.
pub fn write_frame(message: &[u8], stream: &mut Vec<u8>) -> Result<(), MessageError> {
    let len = u16::try_from(message.len()).map_err(|_| MessageError::TooLong)?;
    stream.extend_from_slice(&len.to_be_bytes());
    stream.extend_from_slice(message);
    Ok(())
}

/// Takes a byte stream apart into messages.
///
/// It never holds more than one unfinished message, and refuses one that is announced longer
/// than it may be before any of it has arrived.
#[derive(Clone, Debug)]
pub struct FrameReader {
    pending: Vec<u8>,
    message_bytes_max: usize,
}

impl FrameReader {
    /// Accepts messages of up to this many bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { pending: Vec::new(), message_bytes_max: message_bytes_max.min(MESSAGE_BYTES_MAX) }
    }

    /// Takes what arrived and hands every finished message to `deliver`, in order.
    ///
    /// # Errors
    /// `TooLong` when a message is announced that may not be; the stream is useless then.
    pub fn push(
        &mut self,
        mut arrived: &[u8],
        mut deliver: impl FnMut(&[u8]),
    ) -> Result<(), MessageError> {
        while !arrived.is_empty() {
            if self.pending.is_empty() {
                // The usual case: whole messages, delivered without a copy.
                if let Some((message, rest)) = self.split(arrived)? {
                    deliver(message);
                    arrived = rest;
                    continue;
                }
            }
            let wanted = self.wanted(&self.pending)?;
            let (head, rest) = arrived.split_at(wanted.min(arrived.len()));
            self.pending.extend_from_slice(head);
            arrived = rest;
            if self.is_whole()? {
                deliver(&self.pending[FRAME_PREFIX_BYTES..]);
                self.pending.clear();
            }
        }
        Ok(())
    }

    /// Bytes still missing from the frame that `frame` is the start of.
    fn wanted(&self, frame: &[u8]) -> Result<usize, MessageError> {
        let Some((prefix, body)) = frame.split_first_chunk::<FRAME_PREFIX_BYTES>() else {
            return Ok(FRAME_PREFIX_BYTES - frame.len());
        };
        let len = usize::from(u16::from_be_bytes(*prefix));
        if len > self.message_bytes_max {
            return Err(MessageError::TooLong);
        }
        Ok(len.saturating_sub(body.len()))
    }

    fn is_whole(&self) -> Result<bool, MessageError> {
        let has_prefix = self.pending.len() >= FRAME_PREFIX_BYTES;
        Ok(has_prefix && self.wanted(&self.pending)? == 0)
    }

    fn split<'a>(&self, bytes: &'a [u8]) -> Result<Option<(&'a [u8], &'a [u8])>, MessageError> {
        let Some((prefix, body)) = bytes.split_first_chunk::<FRAME_PREFIX_BYTES>() else {
            return Ok(None);
        };
        let len = usize::from(u16::from_be_bytes(*prefix));
        if len > self.message_bytes_max {
            return Err(MessageError::TooLong);
        }
        Ok(body.split_at_checked(len))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn messages_survive_any_cutting(
            messages in vec(vec(any::<u8>(), 0..50), 0..20),
            cuts in vec(1..40usize, 1..40),
        ) {
            let mut stream = Vec::new();
            for message in &messages {
                write_frame(message, &mut stream).unwrap();
            }
            let mut reader = FrameReader::new(50);
            let mut delivered = Vec::new();
            let mut rest = &stream[..];
            for &cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                reader.push(head, |message| delivered.push(message.to_vec())).unwrap();
                rest = tail;
            }
            prop_assert_eq!(delivered, messages);
            prop_assert!(reader.pending.is_empty());
        }
    }

    #[test]
    fn an_announced_giant_is_refused_at_once() {
        for cut in 1..3 {
            let mut reader = FrameReader::new(50);
            let stream = [0, 51, 9];
            let result = reader
                .push(&stream[..cut], |_| {})
                .and_then(|()| reader.push(&stream[cut..], |_| {}));
            assert_eq!(result, Err(MessageError::TooLong));
            assert!(reader.pending.len() <= 2);
        }
        assert_eq!(write_frame(&[0; 65_536], &mut Vec::new()), Err(MessageError::TooLong));
    }
}
