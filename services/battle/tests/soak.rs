//! What a battle server keeps of those who came and went, and of the time that passed: nothing that
//! grows. Counted in bytes that are allocated, for the whole process: nothing else runs here.
//!
//! `SORTIE_JOINS` and `SORTIE_TICKS` make it long: 10,000 joins, 216,000 ticks for an hour. A
//! player who was in a battle once has a slot in it to the end, so these are players who come
//! again.

use std::alloc::System;
use std::time::Instant;

use sortie_client::LanePolicy;
use sortie_wire::limits::PROTOCOL_VERSION;
use sortie_wire::message::{Blob, ClientMessage, Credential, ServerMessage};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::scene::{Intruder, Scene};
use crate::world::{PATIENCE, ticket};

#[expect(dead_code, reason = "shared with the tests of the battle server")]
#[path = "battle/scene.rs"]
mod scene;
#[expect(dead_code, reason = "shared with the tests of the battle server")]
#[path = "battle/world.rs"]
mod world;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Players who come at the same time.
const WAVE: u128 = 8;
/// Players who come and go: everybody again and again.
const PLAYERS: u128 = 64;
/// The ticket that was used is remembered, as long as the battle lasts.
const BYTES_A_JOIN: i64 = 128;
/// Tables grow by doubling.
const BYTES_OF_TABLES: i64 = 32 << 10;
/// An hour may leave this, whatever happened in it.
const BYTES_AN_HOUR: i64 = 64 << 10;

/// Bytes allocated and not given back.
fn held() -> i64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// One tick in which the first player plays, with other connections beside.
fn step(scene: &mut Scene, others: &mut [Intruder]) {
    let input = scene.input();
    scene.send_datagram(&input);
    scene.step();
    let now = scene.now;
    others.iter_mut().for_each(|other| other.receive(now));
}

/// So many ticks of it, of which the test keeps nothing.
fn play(scene: &mut Scene, ticks: u64) {
    for _ in 0..ticks {
        step(scene, &mut []);
        scene.intruder.messages = Vec::new();
    }
}

/// The least that is held in ten looks. On a busy machine the journal's own thread is behind a
/// battle in fast time now and then, and what it has still to write is not what stays.
fn held_at_rest(scene: &mut Scene) -> i64 {
    let looks = (0..10).map(|_| {
        play(scene, 60);
        held()
    });
    looks.min().expect("ten looks")
}

/// Plays on until no more than `most` is held, or patience ends: what is held then.
fn held_in_the_end(scene: &mut Scene, most: i64) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        play(scene, 60);
        let held = held();
        if held <= most || Instant::now() > deadline {
            return held;
        }
    }
}

/// The players with tickets of these numbers come together, see the battle, and leave it.
fn come_and_leave(scene: &mut Scene, numbers: std::ops::Range<u128>) {
    let ready = scene.ready();
    let new = |_| Intruder::new(&ready, scene.now);
    let mut guests: Vec<_> = numbers.clone().map(new).collect();
    let mut stages = vec![0; guests.len()];
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        for ((guest, stage), number) in guests.iter_mut().zip(&mut stages).zip(numbers.clone()) {
            let is_welcome = |message| matches!(message, &ServerMessage::Welcome(_));
            match *stage {
                0 if guest.connected => {
                    let ticket = Blob::new(ticket(&ready, number, 100 + number % PLAYERS)).unwrap();
                    guest.hello(PROTOCOL_VERSION, Credential::Ticket(ticket));
                    *stage = 1;
                }
                1 if guest.messages.iter().any(is_welcome) => {
                    guest.say(&ClientMessage::Leave);
                    *stage = 2;
                }
                2 if guest.closed_by.is_some() => *stage = 3,
                _ => {}
            }
            guest.send(scene.now);
        }
        if stages.iter().all(|stage| *stage == 3) {
            return;
        }
        step(scene, &mut guests);
    }
    panic!("{numbers:?} did not get in and out: {stages:?}");
}

/// One test, since it counts for the whole process.
#[test]
fn neither_joins_nor_time_leave_anything_behind() {
    let joins = from_environment("SORTIE_JOINS", 240);
    let ticks = from_environment("SORTIE_TICKS", 3_600);
    let mut scene = Scene::join_over(LanePolicy::Auto);
    let mut number = 100;
    let mut wave = |scene: &mut Scene, count: u64| {
        for _ in 0..count / WAVE as u64 {
            come_and_leave(scene, number..number + WAVE);
            number += WAVE;
            play(scene, 4);
        }
        // Connections that are closed drain for a while.
        play(scene, 600);
    };
    wave(&mut scene, 320);
    let before = held_at_rest(&mut scene);
    wave(&mut scene, joins);
    let most = joins as i64 * BYTES_A_JOIN + BYTES_OF_TABLES;
    let left = held_in_the_end(&mut scene, before + most) - before;
    println!("{joins} joins left {left} bytes");
    assert!(left <= most, "{joins} joins left {left}");

    play(&mut scene, 3_000);
    let before = held_at_rest(&mut scene);
    play(&mut scene, ticks);
    let grown = held_in_the_end(&mut scene, before + BYTES_AN_HOUR) - before;
    println!("{ticks} ticks left {grown} bytes");
    assert!(grown <= BYTES_AN_HOUR, "{ticks} ticks left {grown} bytes");
    assert_eq!((scene.intruder.closed_by, scene.server.connected()), (None, 1));
}
