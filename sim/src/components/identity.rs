//! Who a soldier is.

use bevy_ecs::prelude::Component;

use crate::codec::saved;
use crate::id::{Class, PlayerKey, PlayerSlot, Team};

/// Who a soldier is. Key, slot and team never change after the join.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The account of the player.
    pub key: PlayerKey,
    /// The place in the battle.
    pub slot: PlayerSlot,
    /// The side.
    pub team: Team,
    /// The class of the present life; changes at a spawn only.
    pub class: Class,
}

saved!(Identity { key, slot, team, class });
