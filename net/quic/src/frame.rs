//! Framing of the message stream: a big-endian u16 length (1..=65,535) and that many bytes.
//!
//! The reader never asks for more than the rest of the current frame, so that what it holds is
//! bounded by the largest frame allowed, and whatever else the peer sends stays within QUIC's
//! flow control.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of the length in front of each message.
pub(crate) const PREFIX_BYTES: usize = 2;

/// The peer broke the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    Empty,
    TooLong,
}

/// Collects one frame at a time.
pub(crate) struct FrameReader {
    held: BytesMut,
    frame_bytes_max: usize,
}

impl FrameReader {
    pub(crate) fn new(frame_bytes_max: usize) -> Self {
        Self { held: BytesMut::new(), frame_bytes_max }
    }

    /// How many bytes are missing of the current prefix or frame; never 0.
    pub(crate) fn wanted(&self) -> usize {
        match self.length() {
            None => PREFIX_BYTES - self.held.len(),
            Some(length) => PREFIX_BYTES + length - self.held.len(),
        }
    }

    /// Takes at most [`Self::wanted`] bytes; gives the frame that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Bytes>, FrameError> {
        debug_assert!(bytes.len() <= self.wanted(), "the caller asks how much is wanted");
        self.held.extend_from_slice(bytes);
        let Some(length) = self.length() else { return Ok(None) };
        if length == 0 {
            return Err(FrameError::Empty);
        }
        if length > self.frame_bytes_max {
            return Err(FrameError::TooLong);
        }
        if self.held.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        let mut frame = std::mem::take(&mut self.held);
        Ok(Some(frame.split_off(PREFIX_BYTES).freeze()))
    }

    fn length(&self) -> Option<usize> {
        let prefix = self.held.get(..PREFIX_BYTES)?;
        Some(usize::from(u16::from_be_bytes([prefix[0], prefix[1]])))
    }
}

/// Appends one frame; `None` when the message has no valid length.
pub(crate) fn write_frame(out: &mut BytesMut, message: &[u8]) -> Option<()> {
    let length = u16::try_from(message.len()).ok().filter(|&length| length > 0)?;
    out.put_u16(length);
    out.put_slice(message);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Feeds `bytes` in pieces of at most `piece` and returns the frames until the end or an error.
    fn read_all(
        reader: &mut FrameReader,
        mut bytes: &[u8],
        piece: usize,
    ) -> (Vec<Bytes>, Option<FrameError>) {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let (head, tail) = bytes.split_at(reader.wanted().min(piece).min(bytes.len()));
            bytes = tail;
            match reader.feed(head) {
                Ok(frame) => frames.extend(frame),
                Err(error) => return (frames, Some(error)),
            }
        }
        (frames, None)
    }

    proptest! {
        #[test]
        fn messages_survive_any_cut(
            messages in vec(vec(any::<u8>(), 1..300), 0..20),
            piece in 1_usize..400,
        ) {
            let mut out = BytesMut::new();
            for message in &messages {
                prop_assert!(write_frame(&mut out, message).is_some());
            }
            let (frames, error) = read_all(&mut FrameReader::new(300), &out, piece);
            prop_assert_eq!(error, None);
            prop_assert_eq!(frames, messages);
        }

        #[test]
        fn any_bytes_are_frames_or_an_error_and_memory_stays_bounded(
            bytes in vec(any::<u8>(), 0..2_000),
            piece in 1_usize..400,
        ) {
            let mut reader = FrameReader::new(64);
            let (frames, _) = read_all(&mut reader, &bytes, piece);
            prop_assert!(frames.iter().all(|frame| (1..=64).contains(&frame.len())));
            prop_assert!(reader.held.len() <= PREFIX_BYTES + 64);
        }
    }

    #[test]
    fn empty_and_over_long_frames_are_refused_at_the_prefix() {
        let error = |prefix: [u8; 2]| read_all(&mut FrameReader::new(64), &prefix, 2).1;
        assert_eq!(error([0, 0]), Some(FrameError::Empty));
        assert_eq!(error([0, 65]), Some(FrameError::TooLong));
        assert_eq!(error([0, 64]), None);
    }

    #[test]
    fn a_message_without_valid_length_is_not_written() {
        let mut out = BytesMut::new();
        assert!(write_frame(&mut out, &[]).is_none());
        assert!(write_frame(&mut out, &[0; 65_536]).is_none());
        assert!(out.is_empty());
    }
}
