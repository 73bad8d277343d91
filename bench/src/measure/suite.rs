//! All sections of the table, in its order.

use std::io;
use std::time::Duration;

use sortie_field::Field;

use super::table::Row;
use super::{codec, floor, quic_lane, rays};
use crate::ground;

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds in all: to see that everything works.
    Quick,
    /// Minutes: for figures that are kept.
    Full,
}

/// One section of the table.
pub struct Section {
    /// For `--only`.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Measures it.
    pub rows: fn(Size) -> io::Result<Vec<Row>>,
}

/// The table, top to bottom.
pub const SECTIONS: &[Section] = &[
    Section { name: "transport", title: "Transport", rows: transport },
    Section { name: "codec", title: "Snapshot codec", rows: codec },
    Section { name: "rays", title: "Rays over the battlefield", rows: rays },
];

/// A tick at 60 Hz.
const TICK: Duration = Duration::from_nanos(16_666_667);

fn transport(size: Size) -> io::Result<Vec<Row>> {
    let (clients, ticks, repeats) = match size {
        Size::Quick => (&[8][..], 20, 1),
        Size::Full => (&[100, 200, 500][..], 240, 3),
    };
    let mut rows = Vec::new();
    for &clients in clients {
        // Interleaved, so that what the machine does meanwhile hits all alike.
        let (mut bare, mut sealed, mut quic, mut delivered) = (vec![], vec![], vec![], 1.0_f64);
        for _ in 0..repeats {
            bare.push(floor::measure(clients, ticks, TICK, false)?.us_per_client_tick);
            sealed.push(floor::measure(clients, ticks, TICK, true)?.us_per_client_tick);
            let lane = quic_lane::measure(clients, ticks, TICK)?;
            quic.push(lane.us_per_client_tick);
            delivered = delivered.min(lane.delivered);
        }
        let ratios = |of: &[f64]| {
            super::cpu::median(
                &mut of.iter().zip(&bare).map(|(of, to)| of / to).collect::<Vec<_>>(),
            )
        };
        let (sealed_ratio, quic_ratio) = (ratios(&sealed), ratios(&quic));
        let middle = |values: &mut [f64]| super::cpu::median(values);
        let unit = "µs / client-tick";
        rows.push(Row::new(format!("bare UDP, {clients} clients"), middle(&mut bare), unit));
        rows.push(
            Row::new(format!("UDP with AES-128-GCM, {clients} clients"), middle(&mut sealed), unit)
                .note(format!("{sealed_ratio:.2} × bare")),
        );
        rows.push(
            Row::new(format!("QUIC datagrams, {clients} clients"), middle(&mut quic), unit)
                .note(format!("{quic_ratio:.2} × bare, {:.2} % delivered", 100.0 * delivered)),
        );
    }
    Ok(rows)
}

fn codec(size: Size) -> io::Result<Vec<Row>> {
    let codec = codec::measure(if size == Size::Quick { 60 } else { 20_000 })?;
    let records = codec.records;
    let per = "per changed soldier";
    Ok(vec![
        Row::new(format!("bits {per}"), codec.bits, "bit").note("goal at most 40, stretch 28"),
        Row::new(format!("encode {per}"), codec.encode_ns, "ns"),
        Row::new(format!("decode {per}"), codec.decode_ns, "ns"),
        Row::new(format!("snapshot of {records} changed soldiers"), codec.snapshot_bytes, "B")
            .note("header and own soldier included, without transport"),
    ])
}

fn rays(size: Size) -> io::Result<Vec<Row>> {
    let count = if size == Size::Quick { 2_000 } else { 400_000 };
    let mut rows = Vec::new();
    for name in ["ridge", "steppe"] {
        let field = Field::new(ground::load(name).map_err(io::Error::other)?);
        let rays = rays::measure(&field, count);
        let share = 100.0 * rays.hit_share;
        rows.push(
            Row::new(format!("rays of 300 m on {name}"), rays.per_second / 1e6, "million / s")
                .note(format!("one thread; {share:.0} % hit ground or obstacle")),
        );
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_runs_small() {
        for section in SECTIONS {
            let rows = (section.rows)(Size::Quick).unwrap();
            assert!(!rows.is_empty(), "{} is empty", section.name);
        }
    }
}
