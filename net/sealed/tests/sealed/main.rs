//! The sealed lane as its two sides use it.

mod document;
#[path = "../../fuzz/entries.rs"]
mod entries;
mod fuzz_smoke;
mod lanes;
mod pair;
mod paths;
mod properties;
