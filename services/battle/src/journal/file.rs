//! The file under a journal: appends blocks, syncs, fails on order.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use super::block::{FORMAT_VERSION, Kind, MAGIC, put_block};
use crate::failpoint::{Failpoint, Failpoints};

#[derive(Debug)]
pub(super) struct JournalFile {
    file: File,
    bytes: u64,
    next_sequence: u32,
    failpoints: Failpoints,
    scratch: Vec<u8>,
}

impl JournalFile {
    pub(super) fn create(mut file: File, failpoints: Failpoints) -> io::Result<Self> {
        let mut preamble = MAGIC.to_vec();
        preamble.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        preamble.extend_from_slice(&[0; 2]);
        file.write_all(&preamble)?;
        let bytes = preamble.len() as u64;
        Ok(Self { file, bytes, next_sequence: 0, failpoints, scratch: Vec::new() })
    }

    /// Cuts off what is behind `bytes` and goes on there.
    pub(super) fn resume(
        mut file: File,
        bytes: u64,
        next_sequence: u32,
        failpoints: Failpoints,
    ) -> io::Result<Self> {
        file.set_len(bytes)?;
        file.sync_all()?;
        file.seek(SeekFrom::Start(bytes))?;
        Ok(Self { file, bytes, next_sequence, failpoints, scratch: Vec::new() })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn append(&mut self, kind: Kind, ticks: (u32, u32), raw: &[u8]) -> io::Result<()> {
        self.failpoints.pass(Failpoint::BeforeWrite)?;
        self.scratch.clear();
        put_block(&mut self.scratch, kind, self.next_sequence, ticks, raw);
        let (front, back) = self.scratch.split_at(self.scratch.len() / 2);
        self.file.write_all(front)?;
        match kind {
            Kind::Ticks => self.failpoints.pass(Failpoint::MidBlock)?,
            Kind::Checkpoint => self.failpoints.pass(Failpoint::MidCheckpoint)?,
            Kind::Header | Kind::End | Kind::Names => {}
        }
        self.file.write_all(back)?;
        self.next_sequence += 1;
        self.bytes += self.scratch.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.failpoints.pass(Failpoint::BeforeSync)?;
        self.file.sync_data()?;
        self.failpoints.pass(Failpoint::AfterSync)
    }
}
