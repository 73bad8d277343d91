//! What two services repeat: telemetry, errors as text, metrics, the health and metrics
//! listener, the rules of all HTTP listeners.
//!
//! What is deliberately absent: anything that knows what a service does. A service tells its
//! [`health::Health`]; how that becomes an HTTP status is decided here.

pub mod causes;
pub mod health;
pub mod http;
pub mod metrics;
pub mod ops;
mod process;
pub mod telemetry;
