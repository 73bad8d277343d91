//! Access tokens: who is calling, signed with Ed25519, good for five minutes.
//!
//! A token is a JWT (RFC 7519) with the one header that we write: no other algorithm can be asked
//! for, because the header is compared as bytes. The crates for JWT bring RSA along, which
//! deny.toml bans; what is left of the standard is small.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long a token is good for.
pub const LIFE: Duration = Duration::minutes(5);

/// `{"alg":"EdDSA","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9";
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

/// Signs and checks access tokens. All nodes share one key.
#[derive(Clone)]
pub struct AccessKeys(Arc<Secrets>);

struct Secrets {
    pair: Ed25519KeyPair,
    /// Made of the same seed, for nothing but the bus.
    bus: [u8; 32],
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
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
}

impl AccessKeys {
    /// From the private seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed");
        let seed = hmac::Key::new(hmac::HMAC_SHA256, seed);
        let mut bus = [0; 32];
        bus.copy_from_slice(hmac::sign(&seed, b"sortie bus").as_ref());
        Self(Arc::new(Secrets { pair, bus }))
    }

    /// What seals messages between nodes ([`crate::bus::seal`]).
    pub(crate) fn bus_secret(&self) -> &[u8; 32] {
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
        let claims = self.authentic(token).filter(|claims| claims.aud == SERVER_AUDIENCE)?;
        Some((claims.sub, i64::try_from(claims.sid.as_u128()).ok()?))
    }

    fn sign(&self, claims: &Claims) -> String {
        let body = serde_json::to_vec(claims).expect("claims always serialise");
        let signed = format!("{HEADER}.{}", BASE64.encode(body));
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
        let claims = self.authentic(token).ok_or(AccessError::Invalid)?;
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
        token.strip_prefix(HEADER).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Nothing of the content is looked at before the signature is right.
    fn authentic(&self, token: &str) -> Option<Claims> {
        if token.len() > BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let body = signed.strip_prefix(HEADER)?.strip_prefix('.')?;
        let key = UnparsedPublicKey::new(&ED25519, self.0.pair.public_key().as_ref());
        key.verify(signed.as_bytes(), &BASE64.decode(signature).ok()?).ok()?;
        serde_json::from_slice(&BASE64.decode(body).ok()?).ok()
    }
}

/// Random bytes for keys and secrets.
///
/// # Panics
/// The system has no random numbers: nothing can go on.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system's random numbers");
    bytes
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

    #[test]
    fn no_other_key_header_or_byte_will_do() {
        let keys = AccessKeys::generate();
        let token = keys.issue(Uuid::from_u128(1), Uuid::from_u128(2), false, now());
        let invalid = Err(AccessError::Invalid);
        assert_eq!(AccessKeys::generate().verify(&token, now()), invalid);
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character of base64 has bits that mean nothing; a changed one is refused
            // too, since the decoder is strict.
            assert_eq!(keys.verify(&changed, now()), invalid, "byte {at}");
        }
        let (_, rest) = token.split_once('.').unwrap();
        let none = format!("{}.{rest}", BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#));
        assert_eq!(keys.verify(&none, now()), invalid);
        assert_eq!(keys.verify(&"x".repeat(100_000), now()), invalid);
    }
}
