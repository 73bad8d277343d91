//! One thread of the swarm with its bots: waits until a socket is readable or a bot is due.

use std::io;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::error::SwarmError;
use super::seat::{Seat, SeatReport, SeatStatus};
use crate::cpu::thread_time;
use crate::turns::Turns;

/// How often a thread tells how its bots are.
const STATUS_EVERY: Duration = Duration::from_millis(200);

/// How long leaving clients may take to say so.
const LEAVE_TIME: Duration = Duration::from_millis(400);

/// A thread's bots.
pub(super) struct Worker {
    number: usize,
    poll: Poll,
    seats: Vec<Seat>,
    scratch: Vec<u8>,
}

/// What a thread's bots saw, when all is over.
#[derive(Default)]
pub(super) struct Outcome {
    /// One report per bot, by its number.
    pub seats: Vec<SeatReport>,
    /// CPU time of the threads.
    pub cpu: Duration,
    /// How often they got a processor when they wanted one.
    pub turns: Option<Turns>,
}

impl Worker {
    /// Registers the sockets of `seats`.
    pub(super) fn new(number: usize, mut seats: Vec<Seat>) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (at, seat) in seats.iter_mut().enumerate() {
            seat.register(poll.registry(), Token(at))?;
        }
        Ok(Self { number, poll, seats, scratch: vec![0; 2_048] })
    }

    /// Drives the bots until `end`, or until nobody listens to `status` any more; then leaves.
    pub(super) fn run(
        mut self,
        end: Instant,
        stopped: &dyn Fn() -> bool,
        status: &Sender<(usize, SeatStatus)>,
    ) -> Result<Outcome, SwarmError> {
        let mut told = Instant::now();
        loop {
            let now = Instant::now();
            // When every bot's battle is over there is nothing left to wait for.
            if now >= end || stopped() || self.seats.iter().all(Seat::is_out) {
                break;
            }
            if now - told >= STATUS_EVERY {
                told = now;
                let all = self.seats.iter().map(Seat::status);
                let sum = all.fold(SeatStatus::default(), SeatStatus::plus);
                if status.send((self.number, sum)).is_err() {
                    break;
                }
            }
            self.turn(now, end.min(told + STATUS_EVERY))?;
        }
        let mut outcome = Outcome::default();
        let left = Instant::now();
        for seat in &mut self.seats {
            outcome.seats.push(seat.report(left));
            seat.leave(left);
        }
        // Leaving is told once more if it was lost; the server's idle timeout does the rest.
        while left.elapsed() < LEAVE_TIME && self.seats.iter().any(|seat| !seat.is_done()) {
            self.turn(Instant::now(), left + LEAVE_TIME)?;
        }
        outcome.cpu = thread_time();
        outcome.turns = Turns::of_this_thread();
        Ok(outcome)
    }

    /// Serves every bot that is due, then waits for the next one, a datagram, or `until`.
    fn turn(&mut self, now: Instant, until: Instant) -> Result<(), SwarmError> {
        let mut next = until;
        for (at, seat) in self.seats.iter_mut().enumerate() {
            if seat.next_at() <= now {
                seat.serve(now, self.poll.registry(), Token(at))?;
            }
            next = next.min(seat.next_at());
        }
        let mut events = Events::with_capacity(256);
        let wait = next.saturating_duration_since(Instant::now());
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let now = Instant::now();
        for event in &events {
            self.seats[event.token().0].receive(now, &mut self.scratch)?;
        }
        Ok(())
    }
}
