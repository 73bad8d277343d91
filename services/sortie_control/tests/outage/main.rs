//! What the control plane does when something around it fails: real processes, whose database or
//! Redis goes away, and whose clients are slow, many or rude; and what is left of a player who does
//! not want to be remembered.

mod canary;
mod chat;
#[path = "../common/mod.rs"]
mod common;
mod idle;
mod postgres;
mod redis;
mod rest;
mod slow;
