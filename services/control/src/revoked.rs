//! Logins that end before their access tokens run out: ban, logout, erasure.
//!
//! An access token is checked without the database, so every node has to hear of the end. It is
//! told over the bus, and remembered for as long as such a token can live. The truth stands in
//! Postgres, where refreshing is refused; without the bus, a token lives its five minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access;
use crate::bus::{Bus, BusError, Heard};

/// The topic on which ends are told.
pub const TOPIC: &str = "revocations";

/// Something of a player ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Whose.
    pub player_id: Uuid,
    /// Which login; `None`: all of them.
    pub session_id: Option<Uuid>,
    /// What has ended: `login` (sockets of any kind close), or `chat` (banned from chat).
    pub scope: String,
    /// For the player: `logout`, `banned`, `erased`, …
    pub why: String,
}

/// What this node has heard.
#[derive(Clone, Debug, Default)]
pub struct Revoked(Arc<Mutex<HashMap<Uuid, Until>>>);

#[derive(Clone, Copy, Debug)]
struct Until {
    /// Tokens issued before this are worth nothing; seconds since 1970.
    issued_before_s: i64,
    forget_at: Instant,
}

impl Revoked {
    /// Remembers an end of a login.
    pub fn note(&self, revocation: &Revocation, now_s: i64) {
        if revocation.scope != "login" {
            return;
        }
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        ends.retain(|_, until| until.forget_at > now);
        let life = Duration::from_secs(access::LIFE.whole_seconds().unsigned_abs() + 10);
        // A login that ended stays ended; a player may log in again in the same second.
        let issued_before_s = if revocation.session_id.is_some() { i64::MAX } else { now_s };
        let until = Until { issued_before_s, forget_at: now + life };
        ends.insert(revocation.session_id.unwrap_or(revocation.player_id), until);
    }

    /// Whether a token was revoked.
    pub fn covers(&self, claims: &access::Claims) -> bool {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        [claims.sid, claims.sub]
            .iter()
            .any(|id| ends.get(id).is_some_and(|until| claims.iat < until.issued_before_s))
    }

    /// Hears what other nodes tell, until the bus ends. Run it as a task of its own.
    ///
    /// # Errors
    /// The bus is away at the start.
    pub async fn listen(self, bus: Bus) -> Result<(), BusError> {
        let mut heard = bus.topics.subscribe(TOPIC).await?;
        while let Some(heard) = heard.next().await {
            let Heard::Message(body) = heard else { continue };
            match serde_json::from_slice(&body) {
                Ok(revocation) => {
                    self.note(&revocation, time::OffsetDateTime::now_utc().unix_timestamp());
                }
                Err(error) => tracing::warn!(%error, "a revocation cannot be read"),
            }
        }
        Ok(())
    }
}

/// Tells every node.
///
/// # Errors
/// The bus is away; the caller has written the truth already, and goes on.
pub async fn tell(bus: &Bus, revocation: &Revocation) -> Result<(), BusError> {
    let body = serde_json::to_vec(revocation).expect("revocations always serialise");
    bus.topics.publish(TOPIC, Bytes::from(body)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(session: u128, iat: i64) -> access::Claims {
        let (sub, sid) = (Uuid::from_u128(1), Uuid::from_u128(session));
        access::Claims { sub, sid, aud: "sortie".to_owned(), iat, exp: iat + 300, guest: false }
    }

    #[test]
    fn one_login_or_all_that_there_were() {
        let end = |session: Option<u128>| Revocation {
            player_id: Uuid::from_u128(1),
            session_id: session.map(Uuid::from_u128),
            scope: "login".to_owned(),
            why: "logout".to_owned(),
        };
        let revoked = Revoked::default();
        revoked.note(&end(Some(7)), 1_000);
        assert!(revoked.covers(&claims(7, 900)) && !revoked.covers(&claims(8, 900)));
        revoked.note(&end(None), 1_000);
        assert!(revoked.covers(&claims(8, 999)), "logged in before");
        assert!(!revoked.covers(&claims(9, 1_000)), "logged in again");
    }
}
