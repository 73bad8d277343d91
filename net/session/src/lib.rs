//! One player's session without I/O: acks, baselines, priority, budget, jitter buffer, resume.
