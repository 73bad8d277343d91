//! Bots, scenarios and benchmarks.
