//! A soldier's place in a squad.

use bevy_ecs::prelude::Component;

use crate::codec::saved;
use crate::id::{PointId, SquadId, Tick};

/// A soldier's place in a squad of its team.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SquadMember {
    /// The squad, if any.
    pub squad: Option<SquadId>,
    /// Since when; the longest-serving member leads, the lower slot when equal.
    pub since: Tick,
    /// The point that the leader named, the same for every member.
    pub order: Option<PointId>,
}

saved!(SquadMember { squad, since, order });
