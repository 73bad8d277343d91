//! Counts of work that a change must not make worse.
//!
//! Instructions of [kernels], and what a whole server allocates, sends and asks of the kernel in
//! a tick ([counts]). Both are the same on every run, whatever else the machine does; times are
//! not, and none is taken. [compare] sets them against the numbers that are committed beside this
//! crate. Run all of it with `infra/guard`; see `docs/decisions/0009-counts-not-times.md`.

pub mod compare;
pub mod counts;
pub mod kernels;
pub mod measured;
