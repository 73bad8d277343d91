//! Battles as they truly were, tick by tick: what a replay knows, quantised as the wire has it.
//!
//! `sortie replay FILE --frames OUT --ticks A..B` writes such a file; the measurements read it and
//! compare what sampled clients were told. Little endian: `SFRM`, then for each tick its number
//! (u32), the count of its rows (u32) and the rows: slot (u16), yaw (u16), x, y, z (u32 each), and
//! the exact position (three f32).

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use sortie_sim::view::{Status, View};
use sortie_wire::state::{quantise_xz, quantise_y, quantise_yaw};

const MAGIC: [u8; 4] = *b"SFRM";
const ROW_BYTES: usize = 28;

/// Rows of a tick, most: more is no file of ours.
const ROWS_MAX: u32 = 1 << 13;

/// A soldier in the field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// Its player's slot, which is its id.
    pub slot: u16,
    /// Heading, 65,536 units a turn, quantised.
    pub yaw: u16,
    /// East, up (with its offset), south, centimetres.
    pub cm: [u32; 3],
    /// East, up, south, metres, exact.
    pub pos: [f32; 3],
}

/// The soldiers in the field after a tick, in order of their slots.
pub type Frame = Vec<Row>;

/// The rows of a tick.
pub fn frame_of(view: &View) -> Frame {
    let in_field =
        view.soldiers.iter().filter(|row| matches!(row.status, Status::Alive | Status::Down));
    in_field
        .map(|row| {
            let pos = row.body.pos.to_array();
            let [east, up, south] = pos;
            let cm = [quantise_xz(east), quantise_y(up), quantise_xz(south)];
            Row { slot: row.slot.0, yaw: quantise_yaw(row.yaw.0), cm, pos }
        })
        .collect()
}

/// Writes the beginning of a file.
///
/// # Errors
/// Those of `out`.
pub fn write_head(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&MAGIC)
}

/// Writes one tick.
///
/// # Errors
/// Those of `out`.
pub fn write_frame(out: &mut impl Write, tick: u32, frame: &[Row]) -> io::Result<()> {
    out.write_all(&tick.to_le_bytes())?;
    out.write_all(&(frame.len() as u32).to_le_bytes())?;
    for row in frame {
        out.write_all(&row.slot.to_le_bytes())?;
        out.write_all(&row.yaw.to_le_bytes())?;
        for cm in row.cm {
            out.write_all(&cm.to_le_bytes())?;
        }
        for metres in row.pos {
            out.write_all(&metres.to_le_bytes())?;
        }
    }
    Ok(())
}

/// Reads a whole file.
///
/// # Errors
/// Those of `from`, and `InvalidData` when it is no such file.
pub fn read(from: &mut impl Read) -> io::Result<BTreeMap<u32, Frame>> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    let refuse = || io::Error::new(io::ErrorKind::InvalidData, "no file of frames");
    let mut rest = bytes.strip_prefix(&MAGIC).ok_or_else(refuse)?;
    let mut frames = BTreeMap::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(8).ok_or_else(refuse)?;
        let (tick, count) = (word(head, 0), word(head, 4));
        let rows = Some(count).filter(|&count| count <= ROWS_MAX).ok_or_else(refuse)? as usize;
        let (rows, after) = after.split_at_checked(rows * ROW_BYTES).ok_or_else(refuse)?;
        frames.insert(tick, rows.chunks_exact(ROW_BYTES).map(row).collect());
        rest = after;
    }
    Ok(frames)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn row(bytes: &[u8]) -> Row {
    Row {
        slot: word(bytes, 0) as u16,
        yaw: (word(bytes, 0) >> 16) as u16,
        cm: [4, 8, 12].map(|at| word(bytes, at)),
        pos: [16, 20, 24].map(|at| f32::from_bits(word(bytes, at))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let row = Row { slot: 513, yaw: 0x8040, cm: [1, 70_000, 3], pos: [0.01, -2.5, 7.0] };
        let mut bytes = Vec::new();
        write_head(&mut bytes).unwrap();
        write_frame(&mut bytes, 7, &[row, Row::default()]).unwrap();
        write_frame(&mut bytes, 9, &[]).unwrap();
        let frames = read(&mut &bytes[..]).unwrap();
        assert_eq!(frames[&7], [row, Row::default()]);
        assert_eq!(frames.keys().collect::<Vec<_>>(), [&7, &9]);
        for length in 0..bytes.len() - 8 {
            let cut = read(&mut &bytes[..length]);
            assert!(cut.is_err() || length == 4, "{length}");
        }
    }
}
