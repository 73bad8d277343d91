//! The control plane as one process runs it: which services, on which listeners, with which keys.
//!
//! [`services`] is the one list of all services, [`listeners`] of what they are served on; [`node`]
//! brings both together and ends them in order; [`readiness`] says whether calls would succeed.
//! `sortie-control serve` runs a node beside others, `sortie-control up` runs one beside everything
//! else.

#[cfg(test)]
mod erasure;
pub(crate) mod first;
pub(crate) mod keys;
pub(crate) mod listeners;
pub(crate) mod mail;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod names;
pub(crate) mod node;
pub(crate) mod openapi;
pub(crate) mod readiness;
pub(crate) mod services;
#[cfg(test)]
mod switches;
