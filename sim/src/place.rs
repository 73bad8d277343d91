//! Who gets which place: the one rule of joining, leaving and coming again.
//!
//! A place is a slot, and it is a player's for as long as the battle lasts. Who left and joins
//! again gets the same one, on the same side and with everything that was counted. So a
//! player costs one slot and pays one share of the team's tickets, however often it comes and
//! goes; and a battle is full when so many *are* in it, not when so many have been.

use crate::id::{PLAYERS_MAX, PlayerKey, PlayerSlot};
use crate::view::Status;

/// Where a player belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the battle already.
    Here(PlayerSlot),
    /// Was in the battle and left: it is the same place again.
    Again(PlayerSlot),
    /// Nobody's yet.
    New(PlayerSlot),
    /// There is no room for one more.
    Full,
}

/// The place of `key` in a battle of at most `players_max` players at a time, whose players so far
/// are `rows` in slot order. Players who left count for nothing, except that no more than
/// [`PLAYERS_MAX`] different ones can come into one battle.
pub fn place_of(
    rows: impl Iterator<Item = (PlayerKey, Status)>,
    key: PlayerKey,
    players_max: u16,
) -> Place {
    let (mut slots, mut present, mut known) = (0_usize, 0_usize, None);
    for (row, status) in rows {
        if row == key {
            known = Some((PlayerSlot(slots as u16), status));
        }
        present += usize::from(status != Status::Left);
        slots += 1;
    }
    let is_full = present >= usize::from(players_max);
    match known {
        Some((slot, status)) if status != Status::Left => Place::Here(slot),
        _ if is_full => Place::Full,
        Some((slot, _)) => Place::Again(slot),
        None if slots >= PLAYERS_MAX => Place::Full,
        None => Place::New(PlayerSlot(slots as u16)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leavers_take_no_room_and_get_their_own_place_again() {
        let rows = |left: &[u128]| {
            let left = left.to_vec();
            (0..4_u128).map(move |key| {
                let status = if left.contains(&key) { Status::Left } else { Status::Alive };
                (PlayerKey(key), status)
            })
        };
        let place = |left: &[u128], key| place_of(rows(left), PlayerKey(key), 4);
        assert_eq!(place(&[], 2), Place::Here(PlayerSlot(2)));
        assert_eq!(place(&[], 9), Place::Full);
        assert_eq!(place(&[2], 2), Place::Again(PlayerSlot(2)));
        assert_eq!(place(&[2], 9), Place::New(PlayerSlot(4)));
        assert_eq!(place(&[0, 1, 2, 3], 9), Place::New(PlayerSlot(4)));
        let all = (0..PLAYERS_MAX as u128).map(|key| (PlayerKey(key), Status::Left));
        assert_eq!(place_of(all.clone(), PlayerKey(1 << 40), 4), Place::Full);
        assert_eq!(place_of(all, PlayerKey(7), 4), Place::Again(PlayerSlot(7)));
    }
}
