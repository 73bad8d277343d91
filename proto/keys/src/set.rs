//! The keys that signatures are checked with.
//!
//! **Rule.** Whoever signs names its key; whoever checks holds a few keys, so that an old and a new
//! one are both good while keys are exchanged. A key that is not held is told apart from a wrong
//! signature: the first is a matter of the operator, the second of a forger.

use ring::signature::{ED25519, UnparsedPublicKey};

use crate::KeyId;

/// Keys that are held at a time, most. Two are needed while keys are exchanged.
pub const KEYS_MAX: usize = 4;

/// Public keys by their ids: one to [`KEYS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys(Vec<(KeyId, [u8; 32])>);

/// More keys than [`KEYS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} keys; {KEYS_MAX} are the most")]
pub struct TooManyKeys(pub usize);

/// Why a signature is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It names a key that is not held: one that was taken away, or that has not come yet.
    #[error("the key is not known")]
    UnknownKey,
    /// It does not fit.
    #[error("the signature is wrong")]
    Wrong,
}

impl From<[u8; 32]> for PublicKeys {
    /// One key alone.
    fn from(public_key: [u8; 32]) -> Self {
        Self(vec![(KeyId::of(&public_key), public_key)])
    }
}

impl PublicKeys {
    /// `first` and others; those that are there already are passed over.
    ///
    /// # Errors
    /// More than [`KEYS_MAX`] different ones.
    pub fn new(
        first: [u8; 32],
        others: impl IntoIterator<Item = [u8; 32]>,
    ) -> Result<Self, TooManyKeys> {
        let mut keys = Self::from(first);
        for key in others {
            if !keys.iter().any(|known| *known == key) {
                keys.0.push((KeyId::of(&key), key));
            }
        }
        if keys.0.len() > KEYS_MAX { Err(TooManyKeys(keys.0.len())) } else { Ok(keys) }
    }

    /// The first one: where one key signs, it is that one.
    pub fn first(&self) -> [u8; 32] {
        self.0[0].1
    }

    /// All, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.0.iter().map(|(_, key)| key)
    }

    /// Their ids, with blanks between: for operators.
    pub fn ids(&self) -> String {
        let ids: Vec<String> = self.0.iter().map(|(id, _)| id.to_string()).collect();
        ids.join(" ")
    }

    /// Whether `signature` is one of `bytes`, by the key of this id: one check, however many keys
    /// are held.
    ///
    /// # Errors
    /// `UnknownKey` or `Wrong`.
    pub fn verify(&self, id: KeyId, bytes: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let found = self.0.iter().find(|(known, _)| *known == id);
        let (_, key) = found.ok_or(SignatureError::UnknownKey)?;
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(bytes, signature).map_err(|_| SignatureError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyPair;

    #[test]
    fn a_signature_is_checked_with_the_key_that_it_names() {
        let [old, new, other] = [1, 2, 3].map(|seed| KeyPair::from_seed(&[seed; 32]));
        let keys = PublicKeys::new(old.public_key(), [new.public_key()]).unwrap();
        for pair in [&old, &new] {
            let signature = pair.sign(b"text");
            assert_eq!(keys.verify(pair.id(), b"text", &signature), Ok(()));
            let wrong = keys.verify(pair.id(), b"other", &signature);
            assert_eq!(wrong, Err(SignatureError::Wrong));
        }
        let by_old = old.sign(b"text");
        assert_eq!(keys.verify(new.id(), b"text", &by_old), Err(SignatureError::Wrong));
        let by_other = other.sign(b"text");
        let unknown = Err(SignatureError::UnknownKey);
        assert_eq!(keys.verify(other.id(), b"text", &by_other), unknown);
        assert_eq!(PublicKeys::from(new.public_key()).verify(old.id(), b"text", &by_old), unknown);
    }

    #[test]
    fn a_set_is_small_and_holds_each_key_once() {
        let keys = PublicKeys::new([1; 32], [[2; 32], [1; 32], [3; 32], [2; 32], [4; 32]]).unwrap();
        assert_eq!(keys.iter().map(|key| key[0]).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(keys.ids().split(' ').count(), KEYS_MAX);
        let five = PublicKeys::new([1; 32], [2, 3, 4, 5].map(|key| [key; 32]));
        assert_eq!(five, Err(TooManyKeys(5)));
    }

    #[test]
    fn a_pair_shows_its_id_alone() {
        let pair = KeyPair::from_seed(&[9; 32]);
        assert_eq!(format!("{pair:?}"), format!("KeyPair({:?})", pair.id()));
        assert_ne!(KeyPair::generate().id(), KeyPair::generate().id());
    }
}
