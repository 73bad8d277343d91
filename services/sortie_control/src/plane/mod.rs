//! The control plane as one process runs it: which services, on which listeners, with which keys.
//!
//! [`services`] is the one list of all services; [`node`] puts them on listeners and takes them
//! off again in order; [`readiness`] says whether calls would succeed. `sortie-control serve` runs
//! a node beside others, `sortie-control up` runs one beside everything else.

#[cfg(test)]
mod erasure;
pub mod first;
pub mod keys;
pub mod mail;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod names;
pub mod node;
pub mod openapi;
pub mod readiness;
pub mod services;
#[cfg(test)]
mod switches;
