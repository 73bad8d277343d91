//! One end of a lane: both directions, from payload to packet and back.

use std::fmt;
use std::time::{Duration, Instant};

use crate::PACKET_BYTES_MAX;
use crate::config::{LaneConfig, LaneCounters};
use crate::draft::{Draft, Opened};
use crate::error::{OpenError, SealError};
use crate::estimate::Estimate;
use crate::fields::{Challenge, Fields};
use crate::header::{HEADER_BYTES, Header};
use crate::receiver::Receiver;
use crate::secrets::{LaneSecrets, Side, Suite};
use crate::sender::Sender;

/// A report goes with every packet whose number is a multiple of this, once something has come.
pub const REPORT_INTERVAL_PACKETS: u32 = 16;

/// One end of a lane.
///
/// To send, either [`Lane::seal`] a payload, or [`Lane::begin`] a packet, append the payload to
/// the buffer, and [`Lane::finish`] it. To receive, [`Lane::open`]. Addresses are not its matter;
/// see [`crate::Path`].
pub struct Lane {
    session: u32,
    side: Side,
    sender: Sender,
    receiver: Receiver,
    estimate: Estimate,
    /// Server: to be sent with every packet until it is taken away. Client: the echo owed.
    challenge: Option<Challenge>,
    forged_max: u64,
    opened_at: Instant,
    counters: LaneCounters,
}

impl Lane {
    /// The `side`'s end of the lane that the server named `session`.
    pub fn new(
        side: Side,
        suite: Suite,
        secrets: &LaneSecrets,
        session: u32,
        now: Instant,
        config: LaneConfig,
    ) -> Self {
        assert!(config.rekey_after_packets > 0, "a phase has at least one packet");
        Self {
            session,
            side,
            sender: Sender::new(suite, secrets.sealing(side), config.rekey_after_packets),
            receiver: Receiver::new(suite, secrets.opening(side)),
            estimate: Estimate::new(),
            challenge: None,
            forged_max: u64::from(config.forged_packets_max),
            opened_at: now,
            counters: LaneCounters::default(),
        }
    }

    /// The lane's name in packets.
    pub fn session(&self) -> u32 {
        self.session
    }

    /// Appends a whole packet to `out`, with what `payload` appends to it.
    ///
    /// # Errors
    /// [`SealError::Exhausted`], [`SealError::Closed`] or [`SealError::TooLong`]; `out` is then
    /// what it was, and no number is used up.
    pub fn seal(
        &mut self,
        now: Instant,
        payload: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let draft = self.begin(now, out)?;
        payload(out);
        self.finish(draft, out)
    }

    /// Appends header and fields of a packet to `out`; the payload comes behind them.
    ///
    /// # Errors
    /// [`SealError::Exhausted`] or [`SealError::Closed`]; `out` is then what it was.
    pub fn begin(&mut self, now: Instant, out: &mut Vec<u8>) -> Result<Draft, SealError> {
        if self.is_closed() {
            return Err(SealError::Closed);
        }
        let number = self.sender.next_number();
        if number > Header::NUMBER_MAX {
            return Err(SealError::Exhausted);
        }
        let now_ms = self.clock_ms(now);
        let due = number.is_multiple_of(REPORT_INTERVAL_PACKETS);
        let report = if due { self.receiver.report(now_ms) } else { None };
        let fields = Fields { challenge: self.challenge, report };
        let header = Header {
            phase: false,
            report: report.is_some(),
            challenge: self.challenge.is_some(),
            session: self.session,
            number,
        };
        let start = out.len();
        // Number and phase are known when the packet is sealed.
        out.extend_from_slice(&[0; HEADER_BYTES]);
        fields.write(out);
        Ok(Draft { start, header, fields_end: out.len(), now_ms })
    }

    /// Encrypts the packet in place, from where it began to the end of `out`, and appends the
    /// tag. `out` is the buffer that the packet was begun in, with the payload appended.
    ///
    /// # Errors
    /// [`SealError::TooLong`], or [`SealError::Exhausted`] when another packet took the last
    /// number; the packet is then cut off `out` again.
    pub fn finish(&mut self, draft: Draft, out: &mut Vec<u8>) -> Result<(), SealError> {
        if draft.packet_len(out.len()) > PACKET_BYTES_MAX {
            out.truncate(draft.start);
            return Err(SealError::TooLong);
        }
        match self.sender.seal(draft.header, &mut out[draft.start..]) {
            Ok((number, tag)) => {
                out.extend_from_slice(&tag);
                self.estimate.on_sealed(draft.now_ms, number);
                self.counters.sealed += 1;
                if draft.header.challenge && self.side == Side::Client {
                    self.challenge = None;
                }
                Ok(())
            }
            Err(error) => {
                out.truncate(draft.start);
                Err(error)
            }
        }
    }

    /// Decrypts `packet` in place, when the peer sealed it and it was not read before.
    ///
    /// Checks in the order of their price: length and version, session, window, and then the
    /// bytes. Nothing changes but counters unless the packet is authentic.
    ///
    /// # Errors
    /// Why the packet is to be dropped; `packet` then holds nothing of value.
    pub fn open<'a>(
        &mut self,
        now: Instant,
        packet: &'a mut [u8],
    ) -> Result<Opened<'a>, OpenError> {
        let header = Header::read(packet)?;
        if header.session != self.session {
            return Err(OpenError::OtherLane);
        }
        if self.is_closed() {
            return Err(OpenError::Closed);
        }
        let now_ms = self.clock_ms(now);
        let opened = self.receiver.open(now_ms, &header, packet).and_then(|(plain, newest)| {
            let (fields, payload) = Fields::read(&header, plain)?;
            Ok((fields, Opened { payload, newest, number: header.number, challenge: None }))
        });
        let (fields, mut opened) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.count(error);
                return Err(error);
            }
        };
        self.counters.opened += 1;
        opened.challenge = fields.challenge;
        if let Some(report) = fields.report {
            self.estimate.on_report(now_ms, self.sender.next_number(), report);
        }
        if self.side == Side::Client && opened.newest && fields.challenge.is_some() {
            self.challenge = fields.challenge;
        }
        Ok(opened)
    }

    /// The challenge that every packet from now on carries; `None` ends it. For servers.
    pub fn set_challenge(&mut self, challenge: Option<Challenge>) {
        self.challenge = challenge;
    }

    /// Whether a challenge is to be sent with the next packet.
    pub(crate) fn owes_echo(&self) -> bool {
        self.challenge.is_some()
    }

    /// Smoothed round-trip time, once a report has told it. Whole milliseconds went into it.
    pub fn rtt(&self) -> Option<Duration> {
        self.estimate.rtt()
    }

    /// Packets sealed by this end, and how many of them the peer's reports call lost. Both only
    /// rise: what a report called lost and came late stands for what is lost later.
    pub fn sent_and_lost(&self) -> (u64, u64) {
        (u64::from(self.sender.next_number()), self.estimate.lost())
    }

    /// What was counted so far.
    pub fn counters(&self) -> LaneCounters {
        self.counters
    }

    /// Whether too many packets failed to authenticate.
    pub fn is_closed(&self) -> bool {
        self.counters.forged >= self.forged_max
    }

    fn count(&mut self, error: OpenError) {
        match error {
            OpenError::Forged => self.counters.forged += 1,
            OpenError::Replayed | OpenError::TooOld => self.counters.replayed += 1,
            OpenError::Malformed => self.counters.malformed += 1,
            OpenError::NotSealed | OpenError::OtherLane | OpenError::Closed => {}
        }
    }

    /// Milliseconds since the lane was opened; wraps after 49 days, differences do not care.
    fn clock_ms(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.opened_at).as_millis() as u32
    }

    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, number: u32) {
        self.sender.skip_to(number);
    }
}

impl fmt::Debug for Lane {
    /// Nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("session", &format_args!("{:08x}", self.session))
            .field("side", &self.side)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(side: Side, now: Instant, config: LaneConfig) -> Lane {
        let secrets = LaneSecrets::from_exporter([3; 64]);
        Lane::new(side, Suite::Aes128Gcm, &secrets, 9, now, config)
    }

    #[test]
    fn a_lane_ends_before_a_number_repeats() {
        let now = Instant::now();
        let mut client = lane(Side::Client, now, LaneConfig::default());
        let mut server = lane(Side::Server, now, LaneConfig::default());
        client.skip_to(Header::NUMBER_MAX);
        let mut out = Vec::new();
        let draft = client.begin(now, &mut out).unwrap();
        client.seal(now, |_| {}, &mut out).unwrap();
        // The last number went to the packet in between.
        assert_eq!(client.finish(draft, &mut out), Err(SealError::Exhausted));
        assert_eq!(client.begin(now, &mut out).unwrap_err(), SealError::Exhausted);
        assert!(out.is_empty(), "a packet is cut off with all that follows it");

        client.skip_to(Header::NUMBER_MAX);
        client.seal(now, |_| {}, &mut out).unwrap();
        assert!(server.open(now, &mut out).unwrap().newest);
    }

    #[test]
    fn too_many_forgeries_close_the_lane() {
        let now = Instant::now();
        let config = LaneConfig { forged_packets_max: 5, ..LaneConfig::default() };
        let (mut client, mut server) =
            (lane(Side::Client, now, config), lane(Side::Server, now, config));
        let mut good = Vec::new();
        client.seal(now, |_| {}, &mut good).unwrap();
        for _ in 0..5 {
            assert!(!server.is_closed());
            let mut forged = good.clone();
            forged[24] ^= 1;
            assert_eq!(server.open(now, &mut forged), Err(OpenError::Forged));
        }
        assert_eq!(server.open(now, &mut good), Err(OpenError::Closed));
        assert_eq!(server.seal(now, |_| {}, &mut Vec::new()), Err(SealError::Closed));
        assert_eq!(server.counters().forged, 5);
    }

    #[test]
    fn a_payload_that_does_not_fit_uses_no_number() {
        let now = Instant::now();
        let mut lane = lane(Side::Server, now, LaneConfig::default());
        let mut out = vec![1, 2, 3];
        let long = |out: &mut Vec<u8>| out.resize(out.len() + 1176, 0);
        assert_eq!(lane.seal(now, long, &mut out), Err(SealError::TooLong));
        assert_eq!(out, [1, 2, 3]);
        let fits = |out: &mut Vec<u8>| out.resize(out.len() + 1175, 0);
        lane.seal(now, fits, &mut out).unwrap();
        assert_eq!(out.len(), 3 + PACKET_BYTES_MAX);
        assert_eq!(Header::read(&out[3..]).map(|header| header.number), Ok(0));
    }

    #[test]
    fn nothing_of_the_keys_is_printed() {
        let text = format!("{:?}", lane(Side::Client, Instant::now(), LaneConfig::default()));
        assert!(text.starts_with("Lane { session: 00000009, side: Client, counters:"), "{text}");
        assert!(!text.contains("eys"), "{text}");
    }
}
