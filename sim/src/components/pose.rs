//! Where a soldier is.

use bevy_ecs::prelude::Component;
use sortie_field::body::Body;

use crate::codec::{saved, saved_newtype};
use crate::id::Tick;

/// The body that movement moves. Of a soldier that waits it is where the last life ended.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose(pub Body);

/// How long a soldier has been outside the map's border.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Border {
    /// The soldier dies in this tick unless it returns before.
    pub deadline: Option<Tick>,
}

saved_newtype!(Pose);
saved!(Border { deadline });
