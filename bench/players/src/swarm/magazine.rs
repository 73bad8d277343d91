//! How often a bot has fired, from what its client knows: the rounds that are missing.

use sortie_wire::state::{SelfState, status};

/// Counts the own shots by the rounds that are missing from the magazine.
#[derive(Debug, Default)]
pub(super) struct Magazine {
    /// The weapon and its rounds when last looked at.
    seen: Option<(u8, u16)>,
    shots: u64,
}

impl Magazine {
    /// Looks at the soldier as the newest snapshot has it.
    pub(super) fn look(&mut self, own: &SelfState) {
        // Another weapon, a reload or a new life: no shot.
        if let Some((weapon, ammo)) = self.seen.replace((own.weapon, own.ammo))
            && weapon == own.weapon
        {
            self.shots += u64::from(ammo.saturating_sub(own.ammo));
        }
        if own.status != status::ALIVE {
            self.seen = None;
        }
    }

    /// Shots so far.
    pub(super) fn shots(&self) -> u64 {
        self.shots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_go_missing_are_shots_and_nothing_else_is() {
        let mut magazine = Magazine::default();
        let mut look = |status, weapon, ammo| {
            magazine.look(&SelfState { status, weapon, ammo, ..SelfState::default() });
            magazine.shots()
        };
        assert_eq!(look(status::ALIVE, 0, 30), 0);
        assert_eq!(look(status::ALIVE, 0, 27), 3, "a snapshot may lie behind several shots");
        assert_eq!(look(status::ALIVE, 4, 12), 3, "the sidearm has fewer");
        assert_eq!(look(status::ALIVE, 4, 11), 4);
        assert_eq!(look(status::ALIVE, 0, 27), 4);
        assert_eq!(look(status::ALIVE, 0, 30), 4, "reloaded");
        assert_eq!(look(status::DOWN, 0, 30), 4);
        assert_eq!(look(status::ALIVE, 0, 20), 4, "another life, another rifle");
    }
}
