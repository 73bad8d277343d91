//! The static battlefield and the body that moves through it.
//!
//! Everything here is a pure function of a map: terrain, obstacles, rays and the movement step
//! that the simulation runs for every soldier and the client runs again to predict its own. No
//! ECS, no tick, no players. Start with [`Field`].
//!
//! Axes: x east, y up, z south. Distances in metres, times in seconds, angles in [`Yaw`] and
//! [`Pitch`] units. Only `+ - * / sqrt` and `libm` are used, so the results are the same bit for
//! bit in debug and release (`docs/decisions/0001-determinism.md`).

pub mod angle;
pub mod body;
mod field;
mod grid;
mod hash;
pub mod map;
mod movement;
mod obstacle;
mod place;
mod polygon;
mod ray;
mod rules;
mod terrain;

pub use angle::{Pitch, Yaw, direction};
pub use body::{Body, MoveIntent, MoveRules, Stance};
pub use field::Field;
pub use glam::{Vec2, Vec3};
pub use map::{Map, MapError};
pub use movement::{push_body, step_body};
pub use obstacle::{Obstacle, Shape};
pub use ray::RayHit;
pub use terrain::Terrain;
