//! Erasure in a journal: names are blanked where they stand.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sortie_sim::id::PlayerKey;

use super::block::{BLOCK_HEAD_BYTES, FORMAT_VERSION, Head, Kind, MAGIC, PREAMBLE_BYTES};
use super::names::{ENTRY_BYTES, FIELD_AT, FIELD_BYTES, take_all};

/// Blanks all names of these players in a journal or replay, and says how many fields it wrote.
/// On the disk when this returns. A file of another format has no such fields, and is left alone.
///
/// # Errors
/// Of the disk.
pub fn blank(path: &Path, players: &[PlayerKey]) -> io::Result<usize> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let bytes = file.metadata()?.len();
    let mut preamble = [0; PREAMBLE_BYTES];
    if bytes < PREAMBLE_BYTES as u64 {
        return Ok(0);
    }
    file.read_exact_at(&mut preamble, 0)?;
    if preamble[..8] != MAGIC || preamble[8..10] != FORMAT_VERSION.to_le_bytes() {
        return Ok(0);
    }
    let (mut offset, mut blanked) = (PREAMBLE_BYTES as u64, 0);
    loop {
        let mut head = [0; BLOCK_HEAD_BYTES];
        let stored_at = offset + BLOCK_HEAD_BYTES as u64;
        if stored_at > bytes {
            break;
        }
        file.read_exact_at(&mut head, offset)?;
        // What a crash left, or is being written.
        let Ok(head) = Head::parse(&head) else { break };
        offset = stored_at + u64::from(head.stored_bytes);
        if offset > bytes {
            break;
        }
        if head.kind != Kind::Names {
            continue;
        }
        let mut stored = vec![0; head.stored_bytes as usize];
        file.read_exact_at(&mut stored, stored_at)?;
        for (index, named) in take_all(&stored).unwrap_or_default().iter().enumerate() {
            let at = index * ENTRY_BYTES + FIELD_AT;
            let is_blank = stored[at..at + FIELD_BYTES] == [0; FIELD_BYTES];
            if players.contains(&named.key) && !is_blank {
                file.write_all_at(&[0; FIELD_BYTES], stored_at + at as u64)?;
                blanked += 1;
            }
        }
    }
    if blanked > 0 {
        file.sync_data()?;
    }
    Ok(blanked)
}
