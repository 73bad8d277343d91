//! The client library: connect, predict, reconcile, interpolate, resume.
