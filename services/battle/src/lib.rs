//! The battle server: tick loop, sessions, journal, replay.
