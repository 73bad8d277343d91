//! The floor and the QUIC lane, side by side.

use std::io;

use super::suite_run::SuiteRun;
use super::table::TableRow;
use super::transport_run::TransportRun;
use super::{floor, quic_lane};
use sortie_players::cpu::median;

/// The section of the table.
pub fn rows(run: &SuiteRun) -> io::Result<Vec<TableRow>> {
    let clients: &[usize] = run.choose(&[8], &[100, 200, 500]);
    let (ticks, warm_up, repeats) = run.choose((20, 5, 1), (240, 60, 3));
    let mut rows = Vec::new();
    for &clients in clients {
        let load = TransportRun { clients, ticks, warm_up, ..TransportRun::default() };
        let (mut bare, mut sealed, mut quic) = (vec![], vec![], vec![]);
        let mut delivered = 1.0_f64;
        // Interleaved, so that what the machine does meanwhile hits all alike.
        for _ in 0..repeats {
            bare.push(floor::measure(&load, false)?.us_per_client_tick);
            sealed.push(floor::measure(&load, true)?.us_per_client_tick);
            let lane = quic_lane::measure(&load)?;
            quic.push(lane.us_per_client_tick);
            delivered = delivered.min(lane.delivered);
        }
        let ratio = |of: &[f64]| {
            let mut ratios: Vec<f64> = of.iter().zip(&bare).map(|(of, bare)| of / bare).collect();
            median(&mut ratios)
        };
        let (sealed_ratio, quic_ratio) = (ratio(&sealed), ratio(&quic));
        let delivered = 100.0 * delivered;
        let row = |what: &str, figures: &mut [f64]| {
            TableRow::new(format!("{what}, {clients} clients"), median(figures), "µs / client-tick")
        };
        rows.push(row("bare UDP", &mut bare));
        let note = format!("{sealed_ratio:.2} × bare");
        rows.push(row("UDP with AES-128-GCM", &mut sealed).note(note));
        let note = format!("{quic_ratio:.2} × bare; {delivered:.2} % delivered");
        rows.push(row("QUIC datagrams", &mut quic).note(note));
    }
    Ok(rows)
}
