//! The two datagrams, little-endian.
//!
//! Down: tick `u32`, then 8 bytes a visible player: number `u16`, pose, health `u8`.
//! Up: the client's number `u16`, then whatever an input holds.

use peers_s1::{INPUT_BYTES, POSE_BYTES, Pose, Told, World};

const HEAD_BYTES: usize = 4;
const PLAYER_BYTES: usize = 2 + POSE_BYTES + 1;

/// How many players fit into a datagram of this size.
pub fn players_max(datagram_bytes: usize) -> usize {
    (datagram_bytes - HEAD_BYTES) / PLAYER_BYTES
}

/// What the world's tick looks like to one who sees these players.
pub fn encode(world: &World, players: &[u16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + players.len() * PLAYER_BYTES);
    out.extend(world.tick().to_le_bytes());
    for &player in players {
        out.extend(player.to_le_bytes());
        out.extend(world.pose(player.into()).0);
        out.push(world.health(player.into()));
    }
    out
}

/// Adds what a server's datagram tells; nothing of one that is too short.
pub fn decode(datagram: &[u8], told: &mut Vec<Told>) {
    let Some((head, players)) = datagram.split_first_chunk::<HEAD_BYTES>() else { return };
    let tick = u32::from_le_bytes(*head);
    for player in players.chunks_exact(PLAYER_BYTES) {
        let &[low, high, a, b, c, d, e, health] = player else { continue };
        let (player, pose) = (u16::from_le_bytes([low, high]), Pose([a, b, c, d, e]));
        told.push(Told { tick, player, pose, health });
    }
}

/// A client's input.
pub fn input(client: usize, number: u32) -> Vec<u8> {
    let mut out = vec![0; INPUT_BYTES];
    out[..2].copy_from_slice(&(client as u16).to_le_bytes());
    out[2..6].copy_from_slice(&number.to_le_bytes());
    out
}

/// Who sent an input.
pub fn sender(input: &[u8]) -> Option<usize> {
    let client = input.first_chunk::<2>().filter(|_| input.len() == INPUT_BYTES);
    client.map(|bytes| u16::from_le_bytes(*bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let mut world = World::new(1, 3);
        world.step();
        let (mut told, datagram) = (Vec::new(), encode(&world, &[2, 0]));
        assert_eq!(players_max(datagram.len()), 2);
        decode(&datagram, &mut told);
        let told: Vec<_> = told.iter().map(|told| (told.tick, told.player, told.pose)).collect();
        assert_eq!(told, [(1, 2, world.pose(2)), (1, 0, world.pose(0))]);
        assert_eq!(sender(&input(300, 7)), Some(300));
        assert_eq!(sender(&[1]), None);
    }
}
