//! Connection ids that name their shard and prove that we issued them.
//!
//! Eight bytes: five random ones, the first ending in the shard's number, and three of an HMAC
//! over them. The kernel steers by the first (sortie-udp, `steer.rs`). The HMAC decides what an
//! unknown id is: an old connection of ours deserves a stateless reset, random bytes an answer of
//! nothing. It also rejects ids of other shards, so that a misrouted packet never resets a
//! connection that is alive next door. An observer learns log2(shards) bits and no more.

use std::time::Duration;

use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid};
use ring::hmac;
use sortie_keys::random_bytes;

use crate::config::Shard;

const RANDOM_BYTES: usize = 5;
const CID_BYTES: usize = 8;

pub(crate) struct ShardCids {
    pub(crate) key: hmac::Key,
    pub(crate) shard: Shard,
}

impl ShardCids {
    fn mask(&self) -> u8 {
        (self.shard.count - 1) as u8
    }

    fn proof(&self, id: &[u8]) -> [u8; CID_BYTES - RANDOM_BYTES] {
        let tag = hmac::sign(&self.key, id);
        tag.as_ref()[..CID_BYTES - RANDOM_BYTES].try_into().expect("a tag is 32 bytes")
    }
}

impl ConnectionIdGenerator for ShardCids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id: [u8; CID_BYTES] = random_bytes();
        id[0] = id[0] & !self.mask() | self.shard.index;
        let proof = self.proof(&id[..RANDOM_BYTES]);
        id[RANDOM_BYTES..].copy_from_slice(&proof);
        ConnectionId::new(&id)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        if id.len() != CID_BYTES || id[0] & self.mask() != self.shard.index {
            return Err(InvalidCid);
        }
        let (random, proof) = id.split_at(RANDOM_BYTES);
        if self.proof(random) == *proof { Ok(()) } else { Err(InvalidCid) }
    }

    fn cid_len(&self) -> usize {
        CID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// A client has one connection on its socket and needs no id of its own.
pub(crate) struct NoCids;

impl ConnectionIdGenerator for NoCids {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&[])
    }

    fn cid_len(&self) -> usize {
        0
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use sortie_udp::shard_of;

    use super::*;
    use crate::secrets::Secrets;

    fn cids(index: u8, count: u16) -> ShardCids {
        let key = Secrets::from_root([7; 32]).cid_key();
        ShardCids { key, shard: Shard { index, count } }
    }

    #[test]
    fn an_id_is_steered_to_its_shard_and_valid_there_alone() {
        for index in 0..4 {
            for _ in 0..100 {
                let id = cids(index, 4).generate_cid();
                let mut short_header = vec![0x40];
                short_header.extend_from_slice(&id);
                assert_eq!(shard_of(&short_header, 4), usize::from(index));
                for other in 0..4 {
                    assert_eq!(cids(other, 4).validate(&id).is_ok(), other == index);
                }
            }
        }
    }

    #[test]
    fn an_id_that_we_did_not_issue_is_invalid() {
        let own = cids(0, 1);
        let strangers =
            (0..10_000).filter(|_| own.validate(&ConnectionId::new(&random_bytes::<8>())).is_ok());
        assert_eq!(strangers.count(), 0);
    }
}
