//! The sealed lane as its two sides use it.

mod lanes;
mod pair;
