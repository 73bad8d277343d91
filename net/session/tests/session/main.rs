//! Both sessions of several players joined by simulated links, on a fake clock, from one seed.

mod blackout;
mod common;
mod control;
mod rewind;
mod rules;
mod sets;
