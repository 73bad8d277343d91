//! What every server does beside networking: step the world on time and keep account.
//!
//! On standard input: `mark` asks for a [`Mark`], the end of the input ends the process.

use std::io::{BufRead, stdin};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{Args, PERIOD, SEED, TickLog, World, process_cpu};

/// A server's account at one moment; the runner takes two and subtracts.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Mark {
    /// Ticks stepped.
    pub tick: u32,
    /// CPU time of the process, microseconds.
    pub cpu_us: u64,
    /// Ticks that took longer than a tick may.
    pub overruns: u32,
    /// Ticks that were left out because the server was late by a whole one.
    pub skipped: u32,
    /// Inputs of clients that arrived.
    pub inputs: u64,
    /// Resident memory, KiB.
    pub rss_kib: u64,
}

/// The server's world and its timetable.
#[derive(Debug)]
pub struct Duty {
    /// The players.
    pub world: World,
    log: TickLog,
    account: Arc<Account>,
    due: Instant,
    began: Instant,
}

#[derive(Debug, Default)]
struct Account {
    tick: AtomicU32,
    overruns: AtomicU32,
    skipped: AtomicU32,
    inputs: AtomicU64,
}

impl Duty {
    /// Begins at tick 0 and tells the runner where the server listens.
    pub fn begin(args: &Args, address: SocketAddr) -> anyhow::Result<Self> {
        let account = Arc::new(Account::default());
        std::thread::spawn({
            let account = account.clone();
            move || answer(&account)
        });
        println!("{address}");
        Ok(Self {
            world: World::new(SEED, args.players),
            log: TickLog::create(&args.folder)?,
            account,
            due: Instant::now() + PERIOD,
            began: Instant::now(),
        })
    }

    /// When the next tick is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Sleeps until the next tick is due.
    pub fn sleep(&self) {
        std::thread::sleep(self.due.saturating_duration_since(Instant::now()));
    }

    /// Steps the world. The tick lasts until [`Self::finish`].
    pub fn step(&mut self) {
        self.began = Instant::now();
        self.world.step();
        self.log.note(self.world.tick()).expect("the folder takes a file");
        self.account.tick.store(self.world.tick(), Relaxed);
    }

    /// Everything of the tick is sent: judges how long it took and sets when the next is due.
    pub fn finish(&mut self) {
        let now = Instant::now();
        if now - self.began > PERIOD {
            self.account.overruns.fetch_add(1, Relaxed);
        }
        self.due += PERIOD;
        while now >= self.due + PERIOD {
            self.account.skipped.fetch_add(1, Relaxed);
            self.due += PERIOD;
        }
    }

    /// Counts inputs that arrived.
    pub fn add_inputs(&self, count: u64) {
        self.account.inputs.fetch_add(count, Relaxed);
    }
}

/// Answers the runner until it closes our input.
fn answer(account: &Account) {
    for line in stdin().lock().lines() {
        if line.is_ok_and(|line| line == "mark") {
            let mark = Mark {
                tick: account.tick.load(Relaxed),
                cpu_us: process_cpu().as_micros() as u64,
                overruns: account.overruns.load(Relaxed),
                skipped: account.skipped.load(Relaxed),
                inputs: account.inputs.load(Relaxed),
                rss_kib: rss_kib(),
            };
            println!("{}", serde_json::to_string(&mark).expect("plain numbers"));
        }
    }
    std::process::exit(0);
}

fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
