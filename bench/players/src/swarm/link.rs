//! The simulated network between one bot and its socket: a link there and a link back.

use std::time::Instant;

use sortie_link_sim::{Link as OneWay, LinkConfig, Probability};

use super::config::NetworkConditions;

/// Both directions; packets are whole datagrams.
pub(super) struct Path {
    up: OneWay<Vec<u8>>,
    down: OneWay<Vec<u8>>,
    /// Buffers of packets that have arrived, to be filled again.
    spare: Vec<Vec<u8>>,
}

impl Path {
    /// A path with faults of its own, drawn from `seed`.
    pub(super) fn new(link: &NetworkConditions, seed: u64) -> Self {
        let config = config_of(link);
        Self {
            up: OneWay::new(config, seed.wrapping_mul(2)),
            down: OneWay::new(config, seed.wrapping_mul(2).wrapping_add(1)),
            spare: Vec::new(),
        }
    }

    /// Changes what either direction does to packets; those on the way keep their time.
    pub(super) fn set(&mut self, up: &NetworkConditions, down: &NetworkConditions) {
        self.up.set_config(config_of(up));
        self.down.set_config(config_of(down));
    }

    /// A datagram leaves the client.
    pub(super) fn push_up(&mut self, now: Instant, datagram: &[u8]) {
        let copy = filled(self.spare.pop(), datagram);
        self.up.push(now, copy, datagram.len());
    }

    /// A datagram comes from the server.
    pub(super) fn push_down(&mut self, now: Instant, datagram: &[u8]) {
        let copy = filled(self.spare.pop(), datagram);
        self.down.push(now, copy, datagram.len());
    }

    /// Hands on every datagram that has reached the server's side by `now`.
    pub(super) fn deliver_up(&mut self, now: Instant, mut deliver: impl FnMut(&[u8])) {
        while let Some(datagram) = self.up.poll(now) {
            deliver(&datagram);
            self.spare.push(datagram);
        }
    }

    /// Hands on every datagram that has reached the client by `now`.
    pub(super) fn deliver_down(&mut self, now: Instant, mut deliver: impl FnMut(&mut [u8])) {
        while let Some(mut datagram) = self.down.poll(now) {
            deliver(&mut datagram);
            self.spare.push(datagram);
        }
    }

    /// When the next datagram arrives at either end.
    pub(super) fn next_at(&self) -> Option<Instant> {
        match (self.up.next_at(), self.down.next_at()) {
            (Some(up), Some(down)) => Some(up.min(down)),
            (up, down) => up.or(down),
        }
    }
}

fn filled(spare: Option<Vec<u8>>, bytes: &[u8]) -> Vec<u8> {
    let mut buffer = spare.unwrap_or_default();
    buffer.clear();
    buffer.extend_from_slice(bytes);
    buffer
}

/// `delay ± jitter` as the link wants it: a floor, and what is added at most.
fn config_of(link: &NetworkConditions) -> LinkConfig {
    let below = link.jitter.min(link.delay);
    LinkConfig {
        delay: link.delay - below,
        jitter: link.jitter + below,
        loss: share(link.loss),
        reorder: share(link.reorder),
        duplicate: share(link.duplicate),
        ..LinkConfig::default()
    }
}

fn share(share: f64) -> Probability {
    Probability::millionths((share * 1e6).round() as u32)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_delay_varies_both_ways() {
        let delay = Duration::from_millis(100);
        let link = NetworkConditions {
            delay,
            jitter: Duration::from_millis(20),
            ..NetworkConditions::default()
        };
        let config = config_of(&link);
        assert_eq!((config.delay.as_millis(), config.jitter.as_millis()), (80, 40));
    }

    #[test]
    fn a_jitter_above_the_delay_never_arrives_before_it_was_sent() {
        let jitter = Duration::from_millis(20);
        let config = config_of(&NetworkConditions { jitter, ..NetworkConditions::default() });
        assert_eq!((config.delay, config.jitter), (Duration::ZERO, jitter));
    }

    #[test]
    fn each_direction_is_delayed_on_its_own() {
        let delay = Duration::from_millis(30);
        let mut path = Path::new(&NetworkConditions { delay, ..NetworkConditions::default() }, 7);
        let start = Instant::now();
        path.push_up(start, b"there");
        path.push_down(start, b"back");
        assert_eq!(path.next_at(), Some(start + delay));
        let mut arrived = Vec::new();
        path.deliver_up(start, |datagram| arrived.push(datagram.to_vec()));
        assert!(arrived.is_empty());
        path.deliver_up(start + delay, |datagram| arrived.push(datagram.to_vec()));
        path.deliver_down(start + delay, |datagram| arrived.push(datagram.to_vec()));
        assert_eq!(arrived, [b"there".to_vec(), b"back".to_vec()]);
        assert_eq!(path.next_at(), None);
    }
}
