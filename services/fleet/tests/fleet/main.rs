//! The fleet on real listeners and a real database, with the clients that others use.

mod authorisation;
mod battles;
mod common;
mod faults;
mod identity;
mod leases;
mod orders;
mod placement;
mod registration;
mod watching;
