//! Each route of accounts, called like a client calls it, on a real database.

mod common;
mod erasure;
mod export;
mod guests;
mod login;
mod me;
mod names;
mod network;
mod openapi;
mod password;
mod refresh;
mod session;
mod sign_up;
mod totp;
