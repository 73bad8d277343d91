//! What every clients' process does beside networking.
//!
//! It prints `connected` once all clients are told of the world. On standard input: `cpu` asks for
//! the process's CPU time in microseconds; `report A B` asks for a [`Verdict`](crate::Verdict)
//! over the ticks from A to below B and ends the process.

use std::io::{BufRead, stdin};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::{Args, PERIOD, Tally, process_cpu};

/// Clients send at this many moments of a tick.
const PHASES: usize = 16;

/// The clients' account and their line to the runner.
#[derive(Debug)]
pub struct Bots {
    /// What the clients were told.
    pub tally: Tally,
    args: Args,
    lines: Receiver<String>,
    announced: bool,
}

impl Bots {
    /// Nobody is connected yet.
    pub fn new(args: &Args) -> Self {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdin().lock().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let tally = Tally::new(args.players, &args.clients);
        Self { tally, args: args.clone(), lines, announced: false }
    }

    /// Looks whether all are connected, whether a report is due, and whether it is over.
    pub fn attend(&mut self) -> anyhow::Result<bool> {
        if !self.announced && self.tally.told() == self.args.clients.len() {
            println!("connected");
            self.announced = true;
        }
        match self.lines.try_recv() {
            Err(TryRecvError::Empty) => Ok(true),
            Err(TryRecvError::Disconnected) => Ok(false),
            Ok(line) if line == "cpu" => {
                println!("{}", process_cpu().as_micros());
                Ok(true)
            }
            Ok(line) => {
                let window = line.strip_prefix("report ").and_then(|window| window.split_once(' '));
                let (from, until) = window.context("an unknown request")?;
                let window = from.parse()?..until.parse()?;
                let verdict = self.tally.judge(&self.args.folder, window)?;
                println!("{}", serde_json::to_string(&verdict)?);
                Ok(false)
            }
        }
    }
}

/// Moments at which clients that are polled have their turn: each once a tick, in [`PHASES`]
/// groups.
#[derive(Debug)]
pub struct Phases {
    next: Instant,
    phase: usize,
}

impl Default for Phases {
    fn default() -> Self {
        Self { next: Instant::now(), phase: 0 }
    }
}

impl Phases {
    /// Sleeps until the next group's moment; which of `count` clients are in it.
    pub fn sleep(&mut self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let wait = self.next.saturating_duration_since(Instant::now());
        if wait > Duration::ZERO {
            std::thread::sleep(wait);
        }
        self.next += PERIOD / PHASES as u32;
        // Clients that are late by a whole tick do not hurry to make up for it.
        self.next = self.next.max(Instant::now() - PERIOD);
        self.phase = (self.phase + 1) % PHASES;
        (self.phase..count).step_by(PHASES)
    }

    /// The group of a client, 0 to 15, and how far into the tick its moment lies.
    pub fn offset(client: usize) -> Duration {
        PERIOD / PHASES as u32 * (client % PHASES) as u32
    }
}
