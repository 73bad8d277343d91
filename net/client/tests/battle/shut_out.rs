//! Clients that never get in, and whether they say why.

use std::time::Duration;

use sortie_client::{LanePolicy, State};
use sortie_link_sim::{LinkConfig, Probability};
use sortie_quic::Fingerprint;
use sortie_sim::config::{Mode, SimConfig};

use crate::common::Net;

fn net() -> Net {
    let config = SimConfig { mode: Mode::Walk, ..SimConfig::default() };
    let link = LinkConfig::lossy(
        Duration::from_millis(20),
        Duration::from_millis(5),
        Probability::percent(0),
    );
    Net::new(config, 120.0, link, None, LanePolicy::Auto)
}

fn reason(net: &Net) -> Option<String> {
    match net.seats[0].client.state() {
        State::Closed { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn another_certificate_is_named_at_once() {
    let mut net = net();
    net.host.fingerprint = Fingerprint([1; 32]);
    net.join(1);
    net.run(Duration::from_secs(1));
    let reason = reason(&net).expect("another attempt would see the same certificate");
    assert!(reason.contains("fingerprint") && reason.contains("10.0.0.1:4000"), "{reason}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let mut net = net();
    net.join(1);
    net.seats[0].muted = true;
    net.run(Duration::from_secs(8));
    let trouble = net.seats[0].client.trouble().expect("the first attempt is given up by now");
    assert!(trouble.contains("does not answer"), "{trouble}");
    net.run(Duration::from_secs(12));
    assert!(reason(&net).expect("given up").contains("does not answer"));
}
