//! A seeded network: latency, jitter, loss, reordering, duplication, rate limits.
