//! Ranking against a real Postgres: one program, since each would compile the whole service anew.

mod common;
mod jobs;
mod leaderboards;
mod marks;
mod once;
mod ratings;
mod reading;
mod reporting;
mod seasons;
mod trust;
mod unrated_mates;
