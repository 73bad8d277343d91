//! Two ends of a lane on a clock of their own.

use std::time::{Duration, Instant};

use sortie_sealed::{Lane, LaneConfig, LaneSecrets, OpenError, Side, Suite};

pub(crate) const SESSION: u32 = 0x1234_5678;

pub(crate) fn secrets() -> LaneSecrets {
    LaneSecrets::from_exporter(std::array::from_fn(|at| at as u8))
}

pub(crate) struct Pair {
    pub now: Instant,
    pub client: Lane,
    pub server: Lane,
}

impl Pair {
    pub(crate) fn new(suite: Suite, config: LaneConfig) -> Self {
        Self::with_secrets(suite, &secrets(), config)
    }

    pub(crate) fn with_secrets(suite: Suite, secrets: &LaneSecrets, config: LaneConfig) -> Self {
        let now = Instant::now();
        let lane = |side| Lane::new(side, suite, secrets, SESSION, now, config);
        Self { now, client: lane(Side::Client), server: lane(Side::Server) }
    }

    pub(crate) fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    pub(crate) fn client_sends(&mut self, payload: &[u8]) -> Vec<u8> {
        seal(&mut self.client, self.now, payload)
    }

    pub(crate) fn server_sends(&mut self, payload: &[u8]) -> Vec<u8> {
        seal(&mut self.server, self.now, payload)
    }
}

pub(crate) fn seal(lane: &mut Lane, now: Instant, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    lane.seal(now, |out| out.extend_from_slice(payload), &mut out).unwrap();
    out
}

pub(crate) fn open(lane: &mut Lane, now: Instant, packet: &[u8]) -> Result<Vec<u8>, OpenError> {
    lane.open(now, &mut packet.to_vec()).map(|opened| opened.payload.to_vec())
}

#[test]
fn payloads_arrive_once_and_in_any_order() {
    for suite in Suite::ALL {
        let mut pair = Pair::new(suite, LaneConfig::default());
        let packets: Vec<_> = (0..100u8).map(|n| pair.client_sends(&[n; 40])).collect();
        for n in (0..100u8).rev() {
            let packet = &packets[usize::from(n)];
            assert_eq!(packet.len(), 40 + sortie_sealed::OVERHEAD_BYTES_MIN);
            assert_eq!(open(&mut pair.server, pair.now, packet), Ok(vec![n; 40]));
            assert_eq!(open(&mut pair.server, pair.now, packet), Err(OpenError::Replayed));
        }
        let counters = pair.server.counters();
        assert_eq!((counters.opened, counters.replayed, counters.forged), (100, 100, 0));
    }
}

#[test]
fn a_side_does_not_read_what_it_wrote_itself() {
    let mut pair = Pair::new(Suite::Aes128Gcm, LaneConfig::default());
    let packet = pair.client_sends(b"input");
    assert_eq!(open(&mut pair.client, pair.now, &packet), Err(OpenError::Forged));
    assert_eq!(open(&mut pair.server, pair.now, &packet), Ok(b"input".to_vec()));
}

#[test]
fn reports_tell_loss_and_round_trip() {
    let mut pair = Pair::new(Suite::Aes128Gcm, LaneConfig::default());
    for n in 0..64 {
        let packet = pair.server_sends(&[]);
        pair.pass(30);
        if n % 8 != 5 {
            open(&mut pair.client, pair.now, &packet).unwrap();
        }
        let packet = pair.client_sends(&[]);
        pair.pass(12);
        open(&mut pair.server, pair.now, &packet).unwrap();
    }
    // The client's last report went with its packet 48, when 0 to 48 had been sent.
    assert_eq!(pair.server.sent_and_lost(), (64, 6));
    assert_eq!(pair.server.rtt(), Some(Duration::from_millis(42)));
    assert_eq!(pair.client.sent_and_lost(), (64, 0));
    assert_eq!(pair.client.rtt(), Some(Duration::from_millis(42)));
}

#[test]
fn the_newest_challenge_is_echoed_once() {
    let mut pair = Pair::new(Suite::Aes128Gcm, LaneConfig::default());
    pair.server.set_challenge(Some([1; 8]));
    let old = pair.server_sends(&[]);
    pair.server.set_challenge(Some([2; 8]));
    let new = pair.server_sends(&[]);
    open(&mut pair.client, pair.now, &new).unwrap();
    open(&mut pair.client, pair.now, &old).unwrap();
    let mut echo = || {
        let mut packet = pair.client_sends(b"input");
        let opened = pair.server.open(pair.now, &mut packet).unwrap();
        assert_eq!(opened.payload, b"input");
        opened.challenge
    };
    assert_eq!([echo(), echo()], [Some([2; 8]), None]);
}
