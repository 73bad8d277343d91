//! What nodes tell each other over Redis is sealed with a key that only they have: whoever may
//! publish there, and is no node, says nothing that anybody hears.
//!
//! A message is the time (8 bytes, milliseconds since 1970, by the database's clock), an
//! HMAC-SHA256 over channel, time and body (32 bytes), and the body. An old one is not heard
//! again: it counts as a gap, after which Postgres is read.

use bytes::Bytes;
use ring::hmac;

use super::Heard;
use crate::access::AccessKeys;
use crate::clock::Clock;

/// How old a message may be, and how far ahead: clocks of nodes agree on the database's.
const AGE_MAX_MS: u64 = 30_000;

const TIME_BYTES: usize = 8;
const TAG_BYTES: usize = 32;

/// Seals and opens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Seal {
    /// The first one seals; what any of them has sealed is heard. Never empty.
    keys: Vec<hmac::Key>,
    clock: Clock,
}

impl Seal {
    /// With the secrets that all nodes of a deployment share: those of access tokens.
    pub fn new(access: &AccessKeys, clock: &Clock) -> Self {
        let key = |secret: &[u8; 32]| hmac::Key::new(hmac::HMAC_SHA256, secret);
        let keys = access.bus_secrets().iter().map(key).collect();
        Self { keys, clock: clock.clone() }
    }

    /// A body as it goes over Redis.
    pub(super) fn close(&self, channel: &str, body: &[u8]) -> Bytes {
        let time = self.now_ms().to_be_bytes();
        let mut sealed = Vec::with_capacity(TIME_BYTES + TAG_BYTES + body.len());
        sealed.extend(time);
        sealed.extend(self.tag(channel, time, body).as_ref());
        sealed.extend(body);
        sealed.into()
    }

    /// What was said, if it was said by a node, on this channel; `None`: by somebody else.
    pub(super) fn open(&self, channel: &str, sealed: &Bytes) -> Option<Heard> {
        let (time, rest) = sealed.split_first_chunk::<TIME_BYTES>()?;
        let (tag, body) = rest.split_first_chunk::<TAG_BYTES>()?;
        let signed = signed(channel, *time, body);
        self.keys.iter().find(|key| hmac::verify(key, &signed, tag).is_ok())?;
        let apart_ms = self.now_ms().abs_diff(u64::from_be_bytes(*time));
        let is_new = apart_ms <= AGE_MAX_MS;
        Some(if is_new { Heard::Message(sealed.slice_ref(body)) } else { Heard::Gap })
    }

    fn tag(&self, channel: &str, time: [u8; TIME_BYTES], body: &[u8]) -> hmac::Tag {
        hmac::sign(&self.keys[0], &signed(channel, time, body))
    }

    fn now_ms(&self) -> u64 {
        let ms = self.clock.estimate().unix_timestamp_nanos() / 1_000_000;
        u64::try_from(ms).unwrap_or_default()
    }
}

/// The channel has no zero byte: it ends where the first one is.
fn signed(channel: &str, time: [u8; TIME_BYTES], body: &[u8]) -> Vec<u8> {
    [channel.as_bytes(), &[0], &time, body].concat()
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn while_keys_are_exchanged_nodes_hear_each_other() {
        let (old, new) = ([1; 32], [2; 32]);
        let steps = [
            AccessKeys::from_seed(&old),
            AccessKeys::with_others(&old, &[new]).unwrap(),
            AccessKeys::with_others(&new, &[old]).unwrap(),
            AccessKeys::from_seed(&new),
        ];
        let steps = steps.map(|access| Seal::new(&access, &Clock::default()));
        let is_heard = |by: &Seal, of: &Seal| by.open("here", &of.close("here", b"me")).is_some();
        for step in steps.windows(2) {
            assert!(is_heard(&step[0], &step[1]) && is_heard(&step[1], &step[0]));
        }
        assert!(!is_heard(&steps[3], &steps[0]) && !is_heard(&steps[0], &steps[3]));
    }

    #[test]
    fn only_nodes_are_heard_and_each_message_once_in_its_time() {
        let (access, clock) = (AccessKeys::generate(), Clock::default());
        let (ours, same) = (Seal::new(&access, &clock), Seal::new(&access, &Clock::default()));
        let other = Seal::new(&AccessKeys::generate(), &clock);
        let sealed = ours.close("here", b"words");
        let heard = Some(Heard::Message(Bytes::from_static(b"words")));
        assert_eq!(same.open("here", &sealed), heard);
        assert_eq!(same.open("there", &sealed), None, "on another channel");
        assert_eq!(other.open("here", &sealed), None, "of another deployment");
        for at in 0..sealed.len() {
            let mut forged = sealed.to_vec();
            forged[at] ^= 1;
            assert_eq!(same.open("here", &forged.into()), None, "byte {at}");
            assert_eq!(same.open("here", &sealed.slice(..at)), None, "the first {at} bytes");
        }
        assert_eq!(same.open("here", &Bytes::from_static(b"{}")), None);
        clock.advance(Duration::seconds(31));
        assert_eq!(ours.open("here", &sealed), Some(Heard::Gap), "said again, too late");
    }
}
