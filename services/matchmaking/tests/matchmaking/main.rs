//! Matchmaking against a real Postgres: one program, since each would compile the whole service
//! anew.

mod events;
mod fairness;
mod nodes;
mod party;
mod places;
mod queue;
mod ready_check;
mod rooms;
mod seats;
mod support;
