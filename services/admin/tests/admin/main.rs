//! What staff may do, what becomes of it at once, and what is written down about it.

mod ban;
mod documents;
mod first;
mod fixture;
mod input;
mod matrix;
mod reports;
mod reviews;
mod roles;
mod standing;
