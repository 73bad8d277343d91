//! Bots that are sent into battles one by one, each with a ticket from elsewhere.
//!
//! A [`super::run`] knows all of its bots and one server from the start. Here somebody else, a
//! matchmaker, decides when who goes where: a [`Visit`] is one bot's stay in one battle, and its
//! end is told to whoever sent it. A few threads drive all visits.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use sortie_bridge::predict::Fields;

use super::seat::{Seat, SeatReport};
use super::visit::{Visit, Visited};

type OnEnd = Box<dyn FnOnce(Visited) + Send>;

/// Threads that drive visits; dropping it ends them all, and tells how each was until then.
pub struct DriverPool {
    drivers: Vec<Driver>,
    next: AtomicUsize,
}

struct Driver {
    /// `None` when dropped.
    visits: Option<Sender<(Visit, OnEnd)>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

/// The waker's own.
const WAKE: Token = Token(usize::MAX);

/// How long leaving clients may take to say so.
const LEAVE_TIME: Duration = Duration::from_millis(400);

/// Looked around at least so often.
const TURN_MAX: Duration = Duration::from_millis(100);

impl DriverPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system has no more of something.
    pub fn start(threads: usize) -> io::Result<Self> {
        let fields = Fields::default();
        let drivers = (0..threads.max(1)).map(|number| {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKE)?;
            let (sender, visits) = channel();
            let fields = fields.clone();
            let thread = thread::Builder::new()
                .name(format!("bots-{number}"))
                .spawn(move || Drive::new(poll, fields).run(&visits))?;
            Ok(Driver { visits: Some(sender), waker, thread: Some(thread) })
        });
        Ok(Self { drivers: drivers.collect::<io::Result<_>>()?, next: AtomicUsize::new(0) })
    }

    /// Sends a bot off; `on_end` hears how it was, on a thread of the pool.
    pub fn send(&self, visit: Visit, on_end: impl FnOnce(Visited) + Send + 'static) {
        let driver = &self.drivers[self.next.fetch_add(1, Relaxed) % self.drivers.len()];
        if let Some(visits) = &driver.visits {
            // A thread that is gone drops the closure: whoever waits for it sees that.
            drop(visits.send((visit, Box::new(on_end))));
            drop(driver.waker.wake());
        }
    }
}

impl Drop for DriverPool {
    fn drop(&mut self) {
        for driver in &mut self.drivers {
            driver.visits = None;
            drop(driver.waker.wake());
        }
        for driver in &mut self.drivers {
            if let Some(thread) = driver.thread.take() {
                // A panic there was printed there.
                drop(thread.join());
            }
        }
    }
}

/// One thread's visits.
struct Drive {
    poll: Poll,
    fields: Fields,
    seats: BTreeMap<usize, (Seat, Option<OnEnd>)>,
    next: usize,
    scratch: Vec<u8>,
}

impl Drive {
    fn new(poll: Poll, fields: Fields) -> Self {
        Self { poll, fields, seats: BTreeMap::new(), next: 0, scratch: vec![0; 2_048] }
    }

    fn run(mut self, visits: &Receiver<(Visit, OnEnd)>) {
        let mut events = Events::with_capacity(256);
        let mut leaving: Option<Instant> = None;
        loop {
            let now = Instant::now();
            loop {
                match visits.try_recv() {
                    Ok((visit, on_end)) => self.begin(visit, on_end, now),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        if leaving.is_none() {
                            leaving = Some(now);
                            self.leave(now);
                        }
                        break;
                    }
                }
            }
            let is_over = leaving.is_some_and(|since| {
                now - since > LEAVE_TIME || self.seats.values().all(|(seat, _)| seat.is_done())
            });
            if is_over {
                return;
            }
            self.turn(&mut events, now);
        }
    }

    fn begin(&mut self, visit: Visit, on_end: OnEnd, now: Instant) {
        let at = self.next;
        self.next += 1;
        let opened = Seat::visiting(visit, &self.fields, now).and_then(|mut seat| {
            seat.register(self.poll.registry(), Token(at))?;
            Ok(seat)
        });
        match opened {
            Ok(seat) => drop(self.seats.insert(at, (seat, Some(on_end)))),
            Err(error) => on_end(Visited { why: error.to_string(), ..Visited::default() }),
        }
    }

    /// Serves every bot that is due, waits for the next one or a datagram, and takes out those
    /// that are done.
    fn turn(&mut self, events: &mut Events, now: Instant) {
        let (mut next, mut ended) = (now + TURN_MAX, Vec::new());
        let registry = self.poll.registry();
        for (&at, (seat, _)) in &mut self.seats {
            let mut fate = Ok(());
            if seat.next_at() <= now {
                fate = seat.serve(now, registry, Token(at));
            }
            next = next.min(seat.next_at());
            match fate {
                Err(error) => ended.push((at, error.to_string())),
                Ok(()) if seat.is_out() => ended.push((at, String::new())),
                Ok(()) => {}
            }
        }
        for (at, why) in ended {
            self.end(at, why, now);
        }
        let wait = next.saturating_duration_since(Instant::now());
        // Interrupted: the next turn comes anyway.
        drop(self.poll.poll(events, Some(wait)));
        let now = Instant::now();
        for event in &*events {
            let at = event.token().0;
            let Some((seat, _)) = self.seats.get_mut(&at) else { continue };
            if let Err(error) = seat.receive(now, &mut self.scratch) {
                self.end(at, error.to_string(), now);
            }
        }
    }

    fn end(&mut self, at: usize, error: String, now: Instant) {
        let Some((mut seat, on_end)) = self.seats.remove(&at) else { return };
        // The socket goes with the seat.
        drop(seat.deregister(self.poll.registry()));
        if let Some(on_end) = on_end {
            on_end(visited(&seat.report(now), &error));
        }
    }

    /// Says goodbye for everybody. How they were is told at once: what comes now is no battle.
    fn leave(&mut self, now: Instant) {
        for (seat, on_end) in self.seats.values_mut() {
            if let Some(on_end) = on_end.take() {
                on_end(visited(&seat.report(now), LEFT));
            }
            seat.leave(now);
        }
    }
}

/// Why a visit is over that somebody else has ended.
const LEFT: &str = "it left";

/// What came of a visit that is over; `why` unless the client knows better.
fn visited(report: &SeatReport, why: &str) -> Visited {
    let why = match (&report.ended, &report.trouble) {
        (Some(reason), _) => reason,
        (None, Some(trouble)) if !report.connected => trouble,
        (None, None) if !report.connected && why == LEFT => "the server has not answered yet",
        _ => why,
    };
    Visited {
        played: report.connected,
        resumes: report.resumes,
        played_for: report.playing_for,
        snapshots: report.snapshots,
        why: why.to_owned(),
    }
}
