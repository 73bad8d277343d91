//! G1: what the lanes cost over bare UDP.

use std::io;

use super::bench::Bench;
use super::details::Transport;
use super::outcome::Outcome;
use crate::measure::transport_run::{Cost, TransportRun};
use crate::measure::{floor, quic_lane, sealed_lane};

/// Sealed lane over bare UDP, at most.
const SEALED: f64 = 1.7;

/// QUIC datagrams over bare UDP, at most.
const QUIC: f64 = 3.3;

/// Of what a lane is given, so much must arrive for its figure to count.
const DELIVERED: f64 = 0.99;

/// Both lanes for each number of players.
///
/// # Errors
/// Those of sockets.
pub(super) fn g1(bench: &mut Bench<'_>) -> io::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for clients in bench.options.players.clone() {
        let load = TransportRun {
            clients,
            ticks: (bench.options.steady.as_secs() * 60) as usize / 2,
            ..bench.sizes(clients)
        };
        let (mut bare, mut aes, mut sealed, mut quic) = (vec![], vec![], vec![], vec![]);
        // Interleaved, so that what the machine does meanwhile hits all alike.
        for _ in 0..bench.options.repeats {
            bare.push(floor::measure(&load, false)?);
            sealed.push(sealed_lane::measure(&load)?);
            aes.push(floor::measure(&load, true)?);
            quic.push(quic_lane::measure(&load)?);
        }
        let mut row = |what: &str, costs: &[Cost], most: f64| {
            let pairs = costs.iter().zip(&bare);
            let ratios = pairs.map(|(of, bare)| of.us_per_client_tick / bare.us_per_client_tick);
            let what = format!("{what} over bare UDP, {clients} clients");
            let (is_true, guard) = guard(costs);
            let outcome = Outcome::new("G1", what, "×", ratios.collect()).at_most(most);
            outcomes.push(outcome.guard(is_true, guard));
        };
        row("sealed lane", &sealed, SEALED);
        row("QUIC lane", &quic, QUIC);
        for (name, costs) in [
            ("bare UDP", &bare),
            ("UDP with AES-128-GCM", &aes),
            ("sealed lane", &sealed),
            ("QUIC lane", &quic),
        ] {
            let us: Vec<f64> = costs.iter().map(|cost| cost.us_per_client_tick).collect();
            let what = format!("{name} per client-tick, {clients} clients");
            outcomes.push(Outcome::new("G1", what, "µs", us.clone()));
            let calls = costs.iter().map(|cost| cost.syscalls_per_tick).fold(0.0, f64::max);
            bench.details.transports.push(Transport {
                name: name.to_owned(),
                clients,
                us,
                syscalls_per_tick: calls,
            });
        }
    }
    Ok(outcomes)
}

fn guard(costs: &[Cost]) -> (bool, String) {
    let delivered = costs.iter().map(|cost| cost.delivered).fold(1.0, f64::min);
    let heard = costs.iter().map(|cost| cost.heard).fold(1.0, f64::min);
    let text = format!(
        "{:.2} % of the snapshots and {:.2} % of the inputs arrived",
        100.0 * delivered,
        100.0 * heard
    );
    (delivered >= DELIVERED && heard >= DELIVERED, text)
}
