//! What the services of the control plane share.
//!
//! Start with [`app::AppState`], which every service's router has as its state: the database
//! ([`store`]), the bus between nodes ([`bus`]) and the keys of access tokens ([`access`]). A
//! handler names who may call it by its extractor ([`who`]), refuses with an [`error::ApiError`],
//! and writes what staff did to the [`audit`] log in the transaction that does it. [`http`] is
//! the listener that all routers are served by.
//!
//! What is deliberately absent: any service's routes, rules or tables. No service imports another
//! service; they meet in Postgres, over gRPC, or over the bus. What one asks of another in its own
//! transaction, the program that runs both hands over ([`season`], [`keeper`], [`erasure`]).

pub mod access;
pub mod address;
pub mod administrators;
pub mod app;
pub mod audit;
pub mod bus;
pub mod changes;
pub mod chat;
pub mod clock;
mod cors;
pub mod details;
pub mod erasure;
pub mod error;
pub mod flag;
mod fleet_door;
mod gate;
pub mod headers;
mod hearing;
pub mod helps;
pub mod http;
pub mod idempotency;
pub mod internal;
pub mod json;
pub mod keeper;
pub mod listening;
pub mod outbox;
pub mod page;
pub mod permission;
pub mod query;
pub mod request;
pub mod retention;
pub mod revoked;
pub mod rounds;
pub mod season;
pub mod service;
pub mod store;
pub mod tasks;
pub mod text;
pub mod vocabulary;
mod watched;
pub mod who;
