//! What every service of the control plane is given.

use axum::extract::FromRef;
use sqlx::PgPool;

use crate::access::AccessKeys;
use crate::bus::Bus;
use crate::revoked::Revoked;

/// Store, bus and keys of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Plane {
    /// The truth.
    pub db: PgPool,
    /// The other nodes.
    pub bus: Bus,
    /// Access tokens.
    pub access: AccessKeys,
    /// Logins that were ended before their access tokens ran out.
    pub revoked: Revoked,
}

impl Plane {
    /// Of its parts; nothing is heard to be revoked yet.
    pub fn new(db: PgPool, bus: Bus, access: AccessKeys) -> Self {
        let revoked = Revoked::of(db.clone());
        Self { db, bus, access, revoked }
    }

    /// One process with keys of its own: for tests and tools.
    pub fn local(db: PgPool) -> Self {
        Self::new(db, Bus::local(), AccessKeys::generate())
    }
}

impl FromRef<Plane> for PgPool {
    fn from_ref(plane: &Plane) -> Self {
        plane.db.clone()
    }
}
