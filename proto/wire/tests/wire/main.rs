//! Behaviour of the wire as a whole, one file a behaviour. One binary, so that what tests share is
//! compiled once.

mod crowd;
mod document;
#[path = "../../fuzz/entries.rs"]
mod entries;
mod fuzz_smoke;
mod golden;
mod hex;
mod inputs;
mod messages;
mod rng;
mod samples;
mod snapshots;
mod walkers;
