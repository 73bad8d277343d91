//! Matchmaking against a real Postgres: one program, since each would compile the whole service
//! anew.

mod fairness;
mod nodes;
mod party;
mod queue;
mod ready_check;
mod rooms;
mod seats;
mod support;
