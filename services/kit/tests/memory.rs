//! What metrics hold that nobody reads. A process of its own: nothing else runs here.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sortie_kit::health::Health;
use sortie_kit::ops::OpsListener;

/// Memory of this process that is in use, KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// As many samples as a server of 128 ticks a second records in an hour, in ten seconds, and
/// nobody asks for them: they do not stay.
#[test]
fn samples_that_nobody_asks_for_do_not_stay() {
    let recorder = sortie_kit::metrics::recorder().unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let _ops = OpsListener::start(listen, Health::default(), recorder).unwrap();
    let histogram = metrics::histogram!("sortie_unread_seconds");
    let (begun, before, mut highest) = (Instant::now(), resident_kib(), 0);
    for hundredth in 1..=1_000 {
        (0..5_000).for_each(|_| histogram.record(0.001));
        highest = highest.max(resident_kib());
        while begun.elapsed() < Duration::from_millis(10 * hundredth) {
            std::thread::yield_now();
        }
    }
    let grown = highest.saturating_sub(before);
    assert!(grown < 40 << 10, "{grown} KiB for 5,000,000 samples");
}
