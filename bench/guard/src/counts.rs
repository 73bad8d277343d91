//! What a server does in a tick besides computing: allocations, system calls, datagrams, bytes.
//!
//! One thread, and ticks that follow each other without a clock, so that a count is the same on
//! every run.

use std::io;

use sortie_bench::measure::serve::Serving;
use sortie_bench::measure::transport_run::{Cost, TransportRun};
use sortie_bench::measure::{quic_lane, sealed_lane};
use sortie_players::headless::SimRunConfig;
use sortie_players::scenario::Scenario;

use crate::measured::Figures;

/// Players of the server.
const PLAYERS: usize = 64;

/// Ticks until everybody is in the field and buffers have their sizes.
const WARM_UP: usize = 240;

/// Ticks that are counted.
const TICKS: usize = 120;

/// Trials of a transport, most.
const TRIALS: usize = 8;

/// All counts; `allocations` are those of the process so far.
///
/// # Errors
/// Those of sockets and lanes; a player was told something wrong; a datagram was lost.
pub fn measure(allocations: fn() -> u64) -> io::Result<Figures> {
    let mut figures = Figures::new();
    for scenario in [Scenario::Conquest, Scenario::Uniform] {
        server(scenario, allocations, &mut figures)?;
    }
    let load = TransportRun {
        clients: PLAYERS,
        ticks: TICKS,
        warm_up: WARM_UP,
        in_turn: true,
        ..TransportRun::default()
    };
    transport("sealed", || sealed_lane::measure(&load), &mut figures)?;
    transport("quic", || quic_lane::measure(&load), &mut figures)?;
    Ok(figures)
}

/// A whole server without sockets.
fn server(scenario: Scenario, allocations: fn() -> u64, figures: &mut Figures) -> io::Result<()> {
    let config = SimRunConfig {
        players: PLAYERS,
        scenario,
        allocations: Some(allocations),
        ..SimRunConfig::default()
    };
    let mut serving = Serving::new(&config, true)?;
    for _ in 0..WARM_UP {
        serving.tick()?;
    }
    let states = serving.updates();
    let (mut allocated, mut bytes) = (0, 0);
    for _ in 0..TICKS {
        allocated += serving.tick()?.allocations;
        bytes += serving.bytes();
    }
    let mut put = |what: &str, count| figures.insert(format!("server/{what}/{scenario}"), count);
    put("allocations", allocated);
    put("snapshot_bytes", bytes);
    put("states", serving.updates() - states);
    Ok(())
}

/// One lane. A kernel that is busy with others' packets may deliver later than at once, and then
/// other calls find them; such a load counts for nothing and is repeated.
fn transport(
    lane: &str,
    load: impl Fn() -> io::Result<Cost>,
    figures: &mut Figures,
) -> io::Result<()> {
    let mut cost = load()?;
    for _ in 1..TRIALS {
        if cost.delivered == 1.0 && cost.heard == 1.0 {
            break;
        }
        cost = load()?;
    }
    if cost.delivered != 1.0 || cost.heard != 1.0 {
        return Err(io::Error::other(format!("the {lane} lane lost datagrams: {cost:?}")));
    }
    let mut put = |what: &str, per_tick: f64| {
        let count = (per_tick * TICKS as f64).round() as u64;
        figures.insert(format!("transport/{what}/{lane}"), count);
    };
    put("system_calls", cost.syscalls_per_tick);
    put("bytes", cost.bytes_per_tick);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_the_same_on_every_run() {
        let mut first = measure(|| 0).unwrap();
        assert!(first["server/states/uniform"] > (PLAYERS * TICKS * 10) as u64, "{first:?}");
        assert!(first["transport/system_calls/sealed"] >= TICKS as u64, "{first:?}");
        // What other tests send meanwhile may delay a datagram, so lanes are not compared.
        let mut second = Figures::new();
        for scenario in [Scenario::Conquest, Scenario::Uniform] {
            server(scenario, || 0, &mut second).unwrap();
        }
        first.retain(|name, _| name.starts_with("server/"));
        assert_eq!(first, second);
    }
}
