//! What both sides of Sortie must agree on of keys: the pair that signs, the id by which it is
//! known, the set of keys that signatures are checked with, and where random bytes come from.
//!
//! It knows no format of what is signed: join tickets are in `sortie-wire`, access tokens in
//! `sortie-control`. Start with [`PublicKeys`].

mod id;
mod pair;
mod random;
mod set;

pub use id::KeyId;
pub use pair::KeyPair;
pub use random::random_bytes;
pub use set::{KEYS_MAX, PublicKeys, SignatureError, TooManyKeys};
