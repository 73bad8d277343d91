//! Ratings, seasons, leaderboards, statistics, and the results of battles.

mod board;
pub mod eligibility;
pub mod rating;
pub mod report;
pub mod season;
mod settings;

pub use board::MODES;
pub use report::add_rpc;
pub use season::open_season;
pub use settings::Settings;
