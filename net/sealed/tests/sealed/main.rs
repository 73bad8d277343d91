//! The sealed lane as its two sides use it.

mod document;
mod lanes;
mod pair;
mod paths;
mod properties;
