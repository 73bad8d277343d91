//! F25: a server whose ticks come late, and that has hardly any work, is not overloaded.
//! Goes to services/battle/tests.
#![allow(dead_code, unused_macros, reason = "of the world a part is used")]

#[path = "battle/world.rs"]
#[macro_use]
mod world;

use std::time::{Duration, Instant};

use sortie_battle::server::{Ending, Server};

#[test]
fn time_that_others_take_is_no_overload() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::open(world::config(dir.path())).unwrap();
    let mut now = Instant::now();
    server.start_clock(now);
    // Half a minute in which the processor comes back to an empty battle every 300 ms only.
    for _ in 0..100 {
        now += Duration::from_millis(300);
        while server.due() <= now {
            server.tick(now);
        }
    }
    let step = server.end(Ending::Stopped).unwrap().overload_step_max;
    assert!(step == 0, "F25: an idle server climbed to step {step} of the ladder");
}
