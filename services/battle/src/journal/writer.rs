//! The journal's own thread: takes what the tick gives it, packs, writes and syncs.
//!
//! Rules:
//! - The tick never waits. The queue is bounded; when it is full the disk has stood still for
//!   many seconds, and the journal is given up.
//! - An error of the disk ends the journal and not the battle. It is never retried: after a
//!   failed sync nobody knows what the disk holds.
//! - What is [durable](Journal::durable) is on the disk, whatever happens to the process.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sortie_sim::command::Command;
use sortie_sim::id::Tick;

use super::JournalHeader;
use super::block::Kind;
use super::checkpoint::{Checkpoint, End};
use super::file::JournalFile;
use super::group::{GROUP_TICKS_MAX, GroupEncoder};
use super::reader::Tail;
use super::roster::Admitted;
use crate::failpoint::Failpoints;

/// How a journal is written.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// A tick is synced after this long at the latest, the sync's own time apart.
    pub group: Duration,
    /// Ticks that may wait for the disk.
    pub queue_ticks: usize,
    /// Faults for tests.
    pub failpoints: Failpoints,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            group: Duration::from_millis(80),
            queue_ticks: 1_024,
            failpoints: Failpoints::none(),
        }
    }
}

enum Entry {
    Tick { tick: Tick, hash: u32, commands: Vec<Command>, admitted: Vec<Admitted> },
    Checkpoint(Tick, Box<Checkpoint>),
    End(End),
}

#[derive(Debug)]
struct Shared {
    durable: AtomicU32,
    bytes: AtomicU64,
    syncs: AtomicU64,
    dead: AtomicBool,
}

/// A journal being written.
#[derive(Debug)]
pub struct Journal {
    entries: Option<SyncSender<Entry>>,
    /// Emptied command lists that come back to be filled again.
    spare: Receiver<Vec<Command>>,
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Journal {
    /// A new journal in an empty `file`. Its header is on the disk when this returns.
    ///
    /// # Errors
    /// Of the disk.
    pub fn create(file: File, header: &JournalHeader, options: JournalOptions) -> io::Result<Self> {
        let mut file = JournalFile::create(file, options.failpoints.clone())?;
        file.append(Kind::Header, (0, 0), &header.to_bytes())?;
        file.sync()?;
        Self::start(file, GroupEncoder::default(), 0, options)
    }

    /// Goes on where a journal was torn. `file` is cut to what is whole.
    ///
    /// # Errors
    /// Of the disk.
    pub fn resume(file: File, tail: Tail, options: JournalOptions) -> io::Result<Self> {
        let faults = options.failpoints.clone();
        let file = JournalFile::resume(file, tail.bytes, tail.next_sequence, faults)?;
        Self::start(file, GroupEncoder::new(tail.previous), tail.last_tick, options)
    }

    /// A journal that takes nothing any more: what is left after [`close`](Self::close).
    pub fn closed() -> Self {
        let (_, spare) = mpsc::channel();
        let shared = Arc::new(Shared {
            durable: AtomicU32::new(u32::MAX),
            bytes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        });
        Self { entries: None, spare, shared, thread: None }
    }

    fn start(
        file: JournalFile,
        group: GroupEncoder,
        durable: u32,
        options: JournalOptions,
    ) -> io::Result<Self> {
        let (entries, queue) = mpsc::sync_channel(options.queue_ticks.max(1));
        let (give_back, spare) = mpsc::channel();
        let shared = Arc::new(Shared {
            durable: AtomicU32::new(durable),
            bytes: AtomicU64::new(file.bytes()),
            syncs: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        });
        let writer = Writer {
            file,
            group,
            group_time: options.group,
            queue,
            give_back,
            shared: Arc::clone(&shared),
            scratch: Vec::new(),
        };
        let thread = thread::Builder::new().name("journal".into()).spawn(move || writer.run())?;
        Ok(Self { entries: Some(entries), spare, shared, thread: Some(thread) })
    }

    /// Notes a tick: its number, the low half of the state hash after it, what was stepped in it
    /// and who came in by a ticket. Ticks come without gaps. Never waits.
    pub fn push_tick(
        &mut self,
        tick: Tick,
        hash: u32,
        commands: &[Command],
        admitted: &[Admitted],
    ) {
        let mut copy = self.spare.try_recv().unwrap_or_default();
        copy.extend_from_slice(commands);
        self.push(Entry::Tick { tick, hash, commands: copy, admitted: admitted.to_vec() });
    }

    /// Notes the whole state after the tick that was pushed last. Never waits.
    pub fn push_checkpoint(&mut self, tick: Tick, checkpoint: Checkpoint) {
        self.push(Entry::Checkpoint(tick, Box::new(checkpoint)));
    }

    fn push(&mut self, entry: Entry) {
        let Some(entries) = &self.entries else { return };
        match entries.try_send(entry) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                // A journal with a gap is none.
                self.entries = None;
                if !self.shared.dead.swap(true, Ordering::Release) {
                    tracing::error!("the disk does not keep up; the battle goes on unrecorded");
                }
            }
            // The writer said why when it ended.
            Err(TrySendError::Disconnected(_)) => self.entries = None,
        }
    }

    /// The last tick that is on the disk.
    pub fn durable(&self) -> Tick {
        Tick(self.shared.durable.load(Ordering::Acquire))
    }

    /// Whether the journal was given up: nothing more becomes durable.
    pub fn is_dead(&self) -> bool {
        self.shared.dead.load(Ordering::Acquire)
    }

    /// Bytes written.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Groups synced.
    pub fn syncs(&self) -> u64 {
        self.shared.syncs.load(Ordering::Relaxed)
    }

    /// Ends the journal in order and waits until it is on the disk. Whether it is.
    pub fn close(mut self, end: End) -> bool {
        if let Some(entries) = self.entries.take() {
            // At the end there is time to wait for room.
            drop(entries.send(Entry::End(end)));
        }
        self.join();
        !self.is_dead()
    }

    fn join(&mut self) {
        drop(self.entries.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.shared.dead.store(true, Ordering::Release);
        }
    }
}

impl Drop for Journal {
    /// Without [`close`](Journal::close) the journal stays open, as after a crash; what was pushed
    /// is still written.
    fn drop(&mut self) {
        self.join();
    }
}

struct Writer {
    file: JournalFile,
    group: GroupEncoder,
    group_time: Duration,
    queue: Receiver<Entry>,
    give_back: Sender<Vec<Command>>,
    shared: Arc<Shared>,
    scratch: Vec<u8>,
}

impl Writer {
    fn run(mut self) {
        if let Err(error) = self.write_all() {
            self.shared.dead.store(true, Ordering::Release);
            tracing::error!(%error, "the journal cannot be written; the battle goes on unrecorded");
        }
    }

    fn write_all(&mut self) -> io::Result<()> {
        let mut due: Option<Instant> = None;
        loop {
            let entry = match due {
                None => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => self.queue.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match entry {
                Ok(Entry::Tick { tick, hash, mut commands, admitted }) => {
                    self.group.push(tick, hash, &commands, &admitted);
                    commands.clear();
                    drop(self.give_back.send(commands));
                    let due_at = *due.get_or_insert_with(|| Instant::now() + self.group_time);
                    let is_full = self.group.ticks() >= GROUP_TICKS_MAX / 2;
                    if !is_full && Instant::now() < due_at {
                        continue;
                    }
                    self.sync_group()?;
                }
                Ok(Entry::Checkpoint(tick, checkpoint)) => {
                    self.write_group()?;
                    let content = checkpoint.to_bytes(&self.group.previous);
                    self.file.append(Kind::Checkpoint, (tick.0, tick.0), &content)?;
                    self.sync(tick.0)?;
                }
                Ok(Entry::End(end)) => {
                    self.write_group()?;
                    self.file.append(Kind::End, (end.tick, end.tick), &end.to_bytes())?;
                    return self.sync(end.tick);
                }
                Err(RecvTimeoutError::Timeout) => self.sync_group()?,
                Err(RecvTimeoutError::Disconnected) => return self.sync_group(),
            }
            due = None;
        }
    }

    fn sync_group(&mut self) -> io::Result<()> {
        match self.write_group()? {
            Some(last) => self.sync(last),
            None => Ok(()),
        }
    }

    /// Writes the ticks at hand; gives the last of them.
    fn write_group(&mut self) -> io::Result<Option<u32>> {
        self.scratch.clear();
        // Before the ticks: whoever was let in has a name, whatever a crash leaves.
        if let Some(before) = self.group.take_names(&mut self.scratch) {
            self.file.append(Kind::Names, (before, before), &self.scratch)?;
            self.scratch.clear();
        }
        let Some(ticks) = self.group.take(&mut self.scratch) else { return Ok(None) };
        self.file.append(Kind::Ticks, ticks, &self.scratch)?;
        Ok(Some(ticks.1))
    }

    fn sync(&mut self, last: u32) -> io::Result<()> {
        self.file.sync()?;
        self.shared.bytes.store(self.file.bytes(), Ordering::Relaxed);
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        self.shared.durable.store(last, Ordering::Release);
        Ok(())
    }
}
