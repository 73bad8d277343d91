//! Ratings, seasons, leaderboards, statistics, and the results of battles.
