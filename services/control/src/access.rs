//! Access tokens: who is calling, signed with Ed25519, good for five minutes.
//!
//! A token is a JWT (RFC 7519) with the one header that we write: no other algorithm can be asked
//! for, because all of the header but the key's id (`kid`) is compared as bytes. The crates for JWT
//! bring RSA along, which deny.toml bans; what is left of the standard is small.
//!
//! One key signs, and up to three others are held beside it while keys are exchanged
//! ([`AccessKeys::with_others`]). The messages of the bus are sealed with what comes of the same
//! seeds, so that nodes hear each other meanwhile.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use serde::{Deserialize, Serialize};
pub use sortie_keys::random_bytes;
use sortie_keys::{KeyId, KeyPair, PublicKeys, SignatureError, TooManyKeys};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long a token is good for.
pub const LIFE: Duration = Duration::minutes(5);

/// What stands around the id of the key in the JSON of a header.
const HEADER_BEGIN: &str = r#"{"alg":"EdDSA","kid":""#;
const HEADER_END: &str = r#"","typ":"JWT"}"#;

const AUDIENCE: &str = "sortie";

/// How long a token of [`AccessKeys::issue_appeal`] is good for: time to write.
pub const APPEAL_LIFE: Duration = Duration::hours(1);

/// Of tokens that are good for an appeal, and for nothing else.
const APPEAL_AUDIENCE: &str = "sortie-appeal";

/// Of credentials of battle servers.
const SERVER_AUDIENCE: &str = "sortie-server";
const BYTES_MAX: usize = 1024;
const LEEWAY_S: i64 = 5;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The player.
    pub sub: Uuid,
    /// The login session; ends with it.
    pub sid: Uuid,
    /// `sortie`; nothing else gives access.
    pub aud: String,
    /// Seconds since 1970.
    pub iat: i64,
    /// Seconds since 1970.
    pub exp: i64,
    /// Whether the player is a guest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
}

/// Signs and checks access tokens. All nodes share the keys.
#[derive(Clone)]
pub struct AccessKeys(Arc<Secrets>);

struct Secrets {
    pair: KeyPair,
    /// The first one is the pair's.
    public: PublicKeys,
    /// Made of the same seeds in the same order, for nothing but the bus.
    bus: Vec<[u8; 32]>,
}

impl std::fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessKeys")
    }
}

/// Why a token is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Not a token of ours.
    #[error("the access token is invalid")]
    Invalid,
    /// It names a key that this node does not hold: one that was taken away, or that other nodes
    /// have already.
    #[error("the key of the access token is not in use")]
    UnknownKey,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
}

impl AccessKeys {
    /// From the private seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = KeyPair::from_seed(seed);
        let (public, bus) = (pair.public_key().into(), vec![bus_secret(seed)]);
        Self(Arc::new(Secrets { pair, public, bus }))
    }

    /// Signs with `seed`, and takes what was signed with `others` as well: the new key before it
    /// signs, the old one afterwards.
    ///
    /// # Errors
    /// More than [`sortie_keys::KEYS_MAX`] keys in all.
    pub fn with_others(seed: &[u8; 32], others: &[[u8; 32]]) -> Result<Self, TooManyKeys> {
        let pair = KeyPair::from_seed(seed);
        let public_keys = others.iter().map(|seed| KeyPair::from_seed(seed).public_key());
        let public = PublicKeys::new(pair.public_key(), public_keys)?;
        let bus = [seed].into_iter().chain(others).map(bus_secret).collect();
        Ok(Self(Arc::new(Secrets { pair, public, bus })))
    }

    /// The ids of the keys, the one that signs first, with blanks between: for operators.
    pub fn ids(&self) -> String {
        self.0.public.ids()
    }

    /// What seals messages between nodes ([`crate::bus::seal`]): the first one those of this node,
    /// and all of them those that it hears.
    pub(crate) fn bus_secrets(&self) -> &[[u8; 32]] {
        &self.0.bus
    }

    /// New random ones; for tests and first starts.
    pub fn generate() -> Self {
        Self::from_seed(&random_bytes())
    }

    /// A token for a player's login session, from `now` on.
    pub fn issue(&self, player: Uuid, session: Uuid, guest: bool, now: OffsetDateTime) -> String {
        let (iat, exp) = (now.unix_timestamp(), (now + LIFE).unix_timestamp());
        let aud = AUDIENCE.to_owned();
        self.sign(&Claims { sub: player, sid: session, aud, iat, exp, guest })
    }

    /// A token with which a player who may not log in can appeal against that ban, from `now` on.
    pub fn issue_appeal(&self, player: Uuid, ban: Uuid, now: OffsetDateTime) -> String {
        let (iat, exp) = (now.unix_timestamp(), (now + APPEAL_LIFE).unix_timestamp());
        let aud = APPEAL_AUDIENCE.to_owned();
        self.sign(&Claims { sub: player, sid: ban, aud, iat, exp, guest: false })
    }

    /// The credential of a battle server in an epoch. It has no time of its own: the server's next
    /// registration ends it, because that begins another epoch.
    pub fn issue_server(&self, server_id: Uuid, epoch: i64, now: OffsetDateTime) -> String {
        let (iat, exp) = (now.unix_timestamp(), i64::MAX);
        let sid = Uuid::from_u128(u128::from(epoch.unsigned_abs()));
        self.sign(&Claims {
            sub: server_id,
            sid,
            aud: SERVER_AUDIENCE.to_owned(),
            iat,
            exp,
            guest: false,
        })
    }

    /// The server and the epoch of a credential of [`Self::issue_server`]; `None`: it is none.
    pub fn verify_server(&self, token: &str) -> Option<(Uuid, i64)> {
        let claims = self.authentic(token).ok().filter(|claims| claims.aud == SERVER_AUDIENCE)?;
        Some((claims.sub, i64::try_from(claims.sid.as_u128()).ok()?))
    }

    fn sign(&self, claims: &Claims) -> String {
        let body = serde_json::to_vec(claims).expect("claims always serialise");
        let header = format!("{HEADER_BEGIN}{}{HEADER_END}", self.0.pair.id());
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(body));
        let signature = BASE64.encode(self.0.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// What a token says, if it is one of ours and still good at `now`.
    ///
    /// # Errors
    /// Which of the two it is not.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Claims, AccessError> {
        self.verify_for(AUDIENCE, token, now)
    }

    /// The player and the ban of a token of [`Self::issue_appeal`], if it is one and still good.
    ///
    /// # Errors
    /// Which of the two it is not.
    pub fn verify_appeal(
        &self,
        token: &str,
        now: OffsetDateTime,
    ) -> Result<(Uuid, Uuid), AccessError> {
        let claims = self.verify_for(APPEAL_AUDIENCE, token, now)?;
        Ok((claims.sub, claims.sid))
    }

    fn verify_for(
        &self,
        audience: &str,
        token: &str,
        now: OffsetDateTime,
    ) -> Result<Claims, AccessError> {
        let claims = self.authentic(token)?;
        let now_s = now.unix_timestamp();
        if claims.aud != audience || claims.iat > now_s + LEEWAY_S {
            return Err(AccessError::Invalid);
        }
        if claims.exp.saturating_add(LEEWAY_S) < now_s {
            Err(AccessError::Expired)
        } else {
            Ok(claims)
        }
    }

    /// Whether a text has the form of these tokens, true or false ones.
    pub(crate) fn is_of_our_form(&self, token: &str) -> bool {
        token.len() <= BYTES_MAX
            && token.split_once('.').is_some_and(|(header, _)| key_id(header).is_some())
    }

    /// Nothing of the content is looked at before the signature is right.
    fn authentic(&self, token: &str) -> Result<Claims, AccessError> {
        let (key_id, parts) = Parts::of(token).ok_or(AccessError::Invalid)?;
        let signed = parts.signed.as_bytes();
        self.0.public.verify(key_id, signed, &parts.signature).map_err(|error| match error {
            SignatureError::UnknownKey => AccessError::UnknownKey,
            SignatureError::Wrong => AccessError::Invalid,
        })?;
        parts.claims().ok_or(AccessError::Invalid)
    }
}

/// A token taken apart, before anything of it is believed.
struct Parts<'a> {
    signed: &'a str,
    body: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// The key that it names, and the rest.
    fn of(token: &'a str) -> Option<(KeyId, Self)> {
        if token.len() > BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, body) = signed.split_once('.')?;
        let signature = BASE64.decode(signature).ok()?;
        Some((key_id(header)?, Self { signed, body, signature }))
    }

    fn claims(&self) -> Option<Claims> {
        serde_json::from_slice(&BASE64.decode(self.body).ok()?).ok()
    }
}

/// The key that a header names; `None`: it is no header of ours.
fn key_id(header: &str) -> Option<KeyId> {
    let json = String::from_utf8(BASE64.decode(header).ok()?).ok()?;
    let id = json.strip_prefix(HEADER_BEGIN)?.strip_suffix(HEADER_END)?;
    KeyId::from_hex(id)
}

fn bus_secret(seed: &[u8; 32]) -> [u8; 32] {
    let seed = hmac::Key::new(hmac::HMAC_SHA256, seed);
    let tag = hmac::sign(&seed, b"sortie bus");
    tag.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
    }

    #[test]
    fn a_token_is_good_for_five_minutes() {
        let keys = AccessKeys::generate();
        let (player, session) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let token = keys.issue(player, session, true, now());
        let claims = keys.verify(&token, now() + LIFE).unwrap();
        assert_eq!((claims.sub, claims.sid, claims.guest), (player, session, true));
        let late = keys.verify(&token, now() + LIFE + Duration::seconds(6));
        assert_eq!(late, Err(AccessError::Expired));
        let early = keys.verify(&token, now() - Duration::minutes(1));
        assert_eq!(early, Err(AccessError::Invalid));
    }

    #[test]
    fn a_token_for_an_appeal_is_no_access_token_and_the_other_way_round() {
        let keys = AccessKeys::generate();
        let (player, ban) = (Uuid::from_u128(1), Uuid::from_u128(3));
        let appeal = keys.issue_appeal(player, ban, now());
        assert_eq!(keys.verify_appeal(&appeal, now() + APPEAL_LIFE), Ok((player, ban)));
        let late = keys.verify_appeal(&appeal, now() + APPEAL_LIFE + Duration::seconds(6));
        assert_eq!(late, Err(AccessError::Expired));
        assert_eq!(keys.verify(&appeal, now()), Err(AccessError::Invalid));
        let access = keys.issue(player, Uuid::from_u128(2), false, now());
        assert_eq!(keys.verify_appeal(&access, now()), Err(AccessError::Invalid));
    }

    #[test]
    fn a_servers_credential_is_no_access_token_and_the_other_way_round() {
        let keys = AccessKeys::generate();
        let server = Uuid::from_u128(4);
        let credential = keys.issue_server(server, 7, now());
        assert_eq!(keys.verify_server(&credential), Some((server, 7)));
        assert_eq!(AccessKeys::generate().verify_server(&credential), None);
        assert_eq!(keys.verify(&credential, now()), Err(AccessError::Invalid));
        let access = keys.issue(server, Uuid::from_u128(7), false, now());
        assert_eq!(keys.verify_server(&access), None);
    }

    /// The whole of an exchange as docs/operations.md has it, on two nodes that take each step one
    /// after the other.
    #[test]
    fn while_keys_are_exchanged_each_node_takes_the_tokens_of_all() {
        let (old, new) = ([1; 32], [2; 32]);
        let steps = [
            AccessKeys::from_seed(&old),
            AccessKeys::with_others(&old, &[new]).unwrap(),
            AccessKeys::with_others(&new, &[old]).unwrap(),
            AccessKeys::from_seed(&new),
        ];
        let issue =
            |keys: &AccessKeys| keys.issue(Uuid::from_u128(1), Uuid::from_u128(2), false, now());
        for step in steps.windows(2) {
            let [before, after] = step else { unreachable!("two at a time") };
            assert!(after.verify(&issue(before), now()).is_ok());
            assert!(before.verify(&issue(after), now()).is_ok());
        }
        let [first, .., last] = &steps;
        assert_eq!(last.verify(&issue(first), now()), Err(AccessError::UnknownKey));
        assert_eq!(first.verify(&issue(last), now()), Err(AccessError::UnknownKey));
        assert!(AccessKeys::with_others(&old, &[3, 4, 5, 6].map(|seed| [seed; 32])).is_err());
    }

    #[test]
    fn a_token_that_names_no_key_is_invalid() {
        let keys = AccessKeys::from_seed(&[1; 32]);
        let token = keys.issue(Uuid::from_u128(1), Uuid::from_u128(2), false, now());
        let body = token.split('.').nth(1).unwrap();
        let signed = format!("{}.{body}", BASE64.encode(r#"{"alg":"EdDSA","typ":"JWT"}"#));
        let signature = BASE64.encode(KeyPair::from_seed(&[1; 32]).sign(signed.as_bytes()));
        let token = format!("{signed}.{signature}");
        assert_eq!(keys.verify(&token, now()), Err(AccessError::Invalid));
    }

    /// Where the id of the key ends in a token: 38 bytes of JSON in base64, rounded up.
    const ID_END: usize = 52;

    #[test]
    fn no_other_key_header_or_byte_will_do() {
        let keys = AccessKeys::generate();
        let token = keys.issue(Uuid::from_u128(1), Uuid::from_u128(2), false, now());
        let (invalid, unknown) = (Err(AccessError::Invalid), Err(AccessError::UnknownKey));
        assert_eq!(AccessKeys::generate().verify(&token, now()), unknown);
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character of base64 has bits that mean nothing; a changed one is refused
            // too, since the decoder is strict.
            let found = keys.verify(&changed, now());
            // Within the key's id a changed byte may name another key.
            assert!(found == invalid || (at < ID_END && found == unknown), "byte {at}: {found:?}");
        }
        let (_, rest) = token.split_once('.').unwrap();
        let none = format!("{}.{rest}", BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#));
        assert_eq!(keys.verify(&none, now()), invalid);
        assert_eq!(keys.verify(&"x".repeat(100_000), now()), invalid);
    }
}
