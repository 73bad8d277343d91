//! Logins that end before their access tokens run out: ban, logout, erasure.
//!
//! An access token is checked without the database, so every node has to hear of the end. It is
//! told over the bus, and remembered for as long as such a token can live. The truth stands in
//! Postgres, where refreshing is refused, and where a node reads what it did not hear: before it
//! listened, or in a gap of the bus. Without both, a token lives its five minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::time::timeout;
use uuid::Uuid;

use crate::access;
use crate::bus::{Bus, BusError, Heard};
use crate::clock::Clock;
use crate::listening::{self, DeafError, Hearing};
use crate::service::{Job, Stop};

/// The topic on which ends are told.
pub const TOPIC: &str = "revocations";

/// How long until reading that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// An end is worth remembering while a token from before it may live, by any node's clock.
const REMEMBERED: Duration = Duration::from_secs(access::LIFE.whole_seconds().unsigned_abs() + 10);

/// Something of a player ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The player whose login ended.
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
pub struct Revoked {
    ends: Arc<Mutex<HashMap<Uuid, Until>>>,
    /// The truth; without it, what is not heard is not known.
    db: Option<PgPool>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug)]
struct Until {
    /// Tokens issued before this are worth nothing; seconds since 1970.
    issued_before_s: i64,
    forget_at: Instant,
}

impl Revoked {
    /// Reads here what it does not hear.
    pub fn of(db: PgPool, clock: Clock) -> Self {
        Self { db: Some(db), clock, ..Self::default() }
    }

    /// Remembers an end of a login.
    pub fn note(&self, revocation: &Revocation, now_s: i64) {
        if revocation.scope != "login" {
            return;
        }
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        ends.retain(|_, until| until.forget_at > now);
        // A login that ended stays ended; a player may log in again in the same second.
        let issued_before_s = if revocation.session_id.is_some() { i64::MAX } else { now_s };
        let until = Until { issued_before_s, forget_at: now + REMEMBERED };
        ends.insert(revocation.session_id.unwrap_or(revocation.player_id), until);
    }

    /// Whether a token was revoked.
    pub fn covers(&self, claims: &access::Claims) -> bool {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        [claims.sid, claims.sub]
            .iter()
            .any(|id| ends.get(id).is_some_and(|until| claims.iat < until.issued_before_s))
    }

    /// Hears what other nodes tell, until the bus ends, and reads what it did not hear.
    async fn listen(self, bus: Bus, hearing: Hearing) -> Result<(), DeafError> {
        let mut heard = bus.topics.subscribe(TOPIC).await?;
        // Until now, nobody listened.
        let mut is_behind = true;
        loop {
            if is_behind {
                // What is told is heard all the same.
                let read = self.read_ends().await;
                is_behind = read.is_err();
                hearing.note(&read);
            }
            let time = if is_behind { AGAIN } else { Duration::MAX };
            let body = match timeout(time, heard.next()).await {
                Ok(Some(Heard::Message(body))) => body,
                Ok(Some(Heard::Gap)) => {
                    is_behind = true;
                    continue;
                }
                Ok(None) => return Ok(()),
                Err(_) => continue,
            };
            match serde_json::from_slice(&body) {
                Ok(revocation) => {
                    self.note(&revocation, self.clock.estimate().unix_timestamp());
                }
                Err(error) => tracing::warn!(%error, "a revocation cannot be read"),
            }
        }
    }

    /// Notes the ends that a token could still not know of.
    async fn read_ends(&self) -> sqlx::Result<()> {
        let Some(db) = &self.db else { return Ok(()) };
        // An erased player's logins are gone; that all of them have ended its own row says.
        let ends = sqlx::query!(
            r#"select player_id as "player_id!", session_id from personal.login_session
            where revoked_at > now() - make_interval(secs => $1)
            union all select player_id, null from player
            where erased_at > now() - make_interval(secs => $1)"#,
            REMEMBERED.as_secs_f64()
        )
        .fetch_all(db)
        .await?;
        let now_s = self.clock.estimate().unix_timestamp();
        for end in ends {
            let (scope, why) = ("login".to_owned(), String::new());
            let (player_id, session_id) = (end.player_id, end.session_id);
            self.note(&Revocation { player_id, session_id, scope, why }, now_s);
        }
        Ok(())
    }
}

/// The job that hears on `bus` which logins have ended.
pub fn job(revoked: &Revoked, bus: &Bus, stop: &Stop) -> Job {
    let (revoked, bus) = (revoked.clone(), bus.clone());
    let hearing = Hearing::new("revocations", "logins that have ended may be let in");
    let listen = move |hearing| revoked.clone().listen(bus.clone(), hearing);
    Job::new("revocations", listening::listen(hearing, stop.clone(), listen))
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
    use time::OffsetDateTime;

    use super::*;
    use crate::app::AppState;
    use crate::service::stop;

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

    /// A login of a player that has ended.
    async fn ended(db: &PgPool, player_id: Uuid) -> Uuid {
        let session_id = Uuid::now_v7();
        let end = "insert into personal.login_session
            (session_id, player_id, expires_at, revoked_at) values ($1, $2, now(), now())";
        sqlx::query(end).bind(session_id).bind(player_id).execute(db).await.unwrap();
        session_id
    }

    async fn comes_to_cover(revoked: &Revoked, claims: &access::Claims) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !revoked.covers(claims) {
            assert!(Instant::now() < deadline, "the end is not known");
            tokio::task::yield_now().await;
        }
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn what_is_not_heard_is_read(db: PgPool) {
        let player = sortie_testing::player(&db, "Ada").await;
        let now_s = OffsetDateTime::now_utc().unix_timestamp();
        let of = |sub: Uuid, sid: Uuid| access::Claims { sub, sid, ..claims(0, now_s - 60) };
        let app = AppState::local(db.clone());
        let (revoked, bus) = (app.revoked.clone(), app.bus.clone());
        let (stopper, stop) = stop();
        let early = ended(&db, player).await;
        let listening = tokio::spawn(job(&app.revoked, &app.bus, &stop).work);
        comes_to_cover(&revoked, &of(player, early)).await;

        let other = sortie_testing::player(&db, "Bob").await;
        let (late, lives) = (ended(&db, player).await, Uuid::now_v7());
        let erase = "update player set erased_at = now() where player_id = $1";
        sqlx::query(erase).bind(other).execute(&db).await.unwrap();
        // More at once than the bus keeps for a listener.
        let (scope, why) = ("chat".to_owned(), "banned".to_owned());
        let chat = Revocation { player_id: player, session_id: None, scope, why };
        for _ in 0..5_000 {
            tell(&bus, &chat).await.unwrap();
        }
        comes_to_cover(&revoked, &of(player, late)).await;
        comes_to_cover(&revoked, &of(other, Uuid::now_v7())).await;
        assert!(!revoked.covers(&of(player, lives)));
        stopper.stop();
        listening.await.unwrap();
    }
}
