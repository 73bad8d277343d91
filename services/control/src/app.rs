//! What every service of the control plane is given.

use axum::extract::FromRef;
use sqlx::PgPool;

use crate::access::AccessKeys;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::revoked::Revoked;
use crate::tasks::Tasks;

/// Store, bus and keys of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Pool of connections to Postgres, where everything that lasts is kept.
    pub db: PgPool,
    /// The other nodes.
    pub bus: Bus,
    /// Access tokens.
    pub access: AccessKeys,
    /// What the time is.
    pub clock: Clock,
    /// Logins that were ended before their access tokens ran out.
    pub revoked: Revoked,
    /// Work that may outlive the call that began it.
    pub tasks: Tasks,
}

impl AppState {
    /// Of its parts; nothing is heard to be revoked yet.
    pub fn new(db: PgPool, bus: Bus, access: AccessKeys) -> Self {
        Self::with_clock(db, bus, access, Clock::default())
    }

    /// As [`Self::new`], with a clock that the bus has, too.
    pub fn with_clock(db: PgPool, bus: Bus, access: AccessKeys, clock: Clock) -> Self {
        let revoked = Revoked::of(db.clone(), clock.clone());
        Self { db, bus, access, clock, revoked, tasks: Tasks::default() }
    }

    /// One process with keys of its own: for tests and tools.
    pub fn local(db: PgPool) -> Self {
        Self::new(db, Bus::local(), AccessKeys::generate())
    }
}

impl FromRef<AppState> for PgPool {
    fn from_ref(app: &AppState) -> Self {
        app.db.clone()
    }
}
