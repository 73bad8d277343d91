//! How many battles each player watches over this node at the moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// Counts of all players who watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Watchers(Arc<Mutex<HashMap<Uuid, usize>>>);

/// One watch of a player; ends with the value.
#[derive(Debug)]
pub(super) struct Watching {
    watchers: Watchers,
    player_id: Uuid,
}

impl Watchers {
    /// One watch more; `None`: the player has `most` already.
    pub(super) fn take(&self, player_id: Uuid, most: usize) -> Option<Watching> {
        let mut counts = self.counts();
        let count = counts.get(&player_id).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        counts.insert(player_id, count + 1);
        Some(Watching { watchers: self.clone(), player_id })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut counts = self.watchers.counts();
        if let Some(count) = counts.get_mut(&self.player_id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.player_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (watchers, one, two) = (Watchers::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let held: Vec<_> = (0..4).map(|_| watchers.take(one, 4).unwrap()).collect();
        assert!(watchers.take(one, 4).is_none());
        assert!(watchers.take(two, 4).is_some(), "another player");
        drop(held);
        assert!(watchers.counts().is_empty(), "nobody is remembered");
        assert!(watchers.take(one, 4).is_some());
    }
}
