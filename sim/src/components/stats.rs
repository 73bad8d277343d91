//! The scoreboard line and the figures behind it.

use bevy_ecs::prelude::Component;

use crate::codec::saved;
use crate::config::WEAPONS_MAX;
use crate::view::ScoreRow;

/// The scoreboard line and the figures behind it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// What the scoreboard shows.
    pub score: ScoreRow,
    /// Hit points taken from enemies.
    pub damage_dealt_hp: u32,
    /// Hit points lost.
    pub damage_taken_hp: u32,
    /// Walked, metres.
    pub distance_m: f32,
    /// Farthest kill, metres.
    pub longest_kill_m: f32,
    /// Ticks spent alive.
    pub alive_ticks: u32,
    /// Shots fired, by weapon.
    pub weapon_shots: [u16; WEAPONS_MAX],
    /// Of these, how many hit an enemy.
    pub weapon_hits: [u16; WEAPONS_MAX],
}

saved!(ScoreRow { points, kills, deaths, assists, revives, captures, shots, hits });
saved!(Stats {
    score,
    damage_dealt_hp,
    damage_taken_hp,
    distance_m,
    longest_kill_m,
    alive_ticks,
    weapon_shots,
    weapon_hits,
});
