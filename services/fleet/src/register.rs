//! `Fleet.Register`: a server comes up, or comes back with what it still runs.

use sortie_battles::server::{self as servers, Registering};
use sortie_battles::{battle, order};
use sortie_control::internal::identity_hash;
use sortie_rpc::fleet::v1 as rpc;
use sqlx::PgPool;
use uuid::Uuid;

use crate::address;
use crate::error::{FleetError, uuid};
use crate::requeue::{Requeue, requeue};
use crate::settings::Settings;

const BATTLES_MAX: usize = 64;

/// A request that was looked through.
pub(crate) struct Registration {
    name: String,
    address: String,
    fingerprint: Vec<u8>,
    version: String,
    protocol_version: i32,
    battles_max: i32,
    players_max: i32,
    listed: Vec<Uuid>,
    /// SHA-256 of what it proves with that the name is its own.
    identity_hash: Option<Vec<u8>>,
}

impl Registration {
    /// How the server calls itself.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the server showed an identity.
    pub(crate) fn has_identity(&self) -> bool {
        self.identity_hash.is_some()
    }
}

/// What the server is told.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) server_id: Uuid,
    pub(crate) epoch: i64,
    pub(crate) forget: Vec<Uuid>,
}

impl TryFrom<rpc::RegisterRequest> for Registration {
    type Error = FleetError;

    fn try_from(request: rpc::RegisterRequest) -> Result<Self, FleetError> {
        // The database has the last word on the name; it need not see what is far too long.
        if request.name.len() > 63 {
            return Err(FleetError::invalid("name: at most 63 characters"));
        }
        address::check(&request.address).map_err(FleetError::invalid)?;
        if request.fingerprint.len() != 32 {
            return Err(FleetError::invalid("fingerprint: 32 bytes"));
        }
        if request.version.len() > 64 {
            return Err(FleetError::invalid("version: at most 64 characters"));
        }
        if ![0, 32].contains(&request.identity.len()) {
            return Err(FleetError::invalid("identity: 32 bytes, or none"));
        }
        if request.battles.len() > BATTLES_MAX {
            return Err(FleetError::invalid("battles: at most 64"));
        }
        let mut listed = Vec::with_capacity(request.battles.len());
        for battle in &request.battles {
            listed.push(uuid("battles", battle)?);
        }
        Ok(Self {
            name: request.name,
            address: request.address,
            fingerprint: request.fingerprint,
            version: request.version,
            protocol_version: bounded("protocol_version", request.protocol_version, 1, i32::MAX)?,
            battles_max: bounded("battles_max", request.battles_max, 1, 64)?,
            players_max: bounded("players_max", request.players_max, 1, 8_192)?,
            listed,
            identity_hash: (!request.identity.is_empty()).then(|| identity_hash(&request.identity)),
        })
    }
}

fn bounded(field: &str, value: u32, min: i32, max: i32) -> Result<i32, FleetError> {
    let value = i32::try_from(value).ok().filter(|value| (min..=max).contains(value));
    value.ok_or_else(|| FleetError::invalid(format!("{field} must be {min} to {max}")))
}

/// Gives the server a new epoch and the battles that it still has. Nobody else has its name before
/// it was gone for so long that its battles are lost.
pub(crate) async fn register(
    db: &PgPool,
    server: Registration,
    settings: &Settings,
) -> Result<Registered, FleetError> {
    let mut tx = db.begin().await?;
    let registering = Registering {
        name: server.name.clone(),
        address: server.address,
        fingerprint: server.fingerprint,
        version: server.version,
        protocol_version: server.protocol_version,
        battles_max: server.battles_max,
        players_max: server.players_max,
        identity_hash: server.identity_hash,
    };
    let (lease, grace) = (settings.lease.as_secs_f64(), settings.return_grace.as_secs_f64());
    let row = servers::register(&mut tx, registering, lease, grace).await?;
    let Some(row) = row else {
        metrics::counter!("sortie_fleet_names_refused_total").increment(1);
        return Err(FleetError::NameTaken);
    };
    let (server_id, epoch) = (row.server_id, row.epoch);
    let adopted =
        battle::adopt(&mut tx, server_id, epoch, &server.listed, row.identity_since).await?;
    order::opened(&mut tx, server_id, &adopted).await?;
    requeue_forgotten(&mut tx, server_id, epoch, &adopted).await?;
    // Streams of older epochs look, and end.
    sqlx::query!("select pg_notify('server_order', $1)::text", server_id.to_string())
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    let forget = server.listed.into_iter().filter(|battle| !adopted.contains(battle)).collect();
    Ok(Registered { server_id, epoch, forget })
}

/// Battles that the server was given and does not list: those whose order still waits are
/// opened under the new epoch; the others it has lost before they began.
async fn requeue_forgotten(
    db: &mut sqlx::PgConnection,
    server_id: Uuid,
    epoch: i64,
    adopted: &[Uuid],
) -> sqlx::Result<()> {
    let kept = battle::keep_ordered(&mut *db, server_id, epoch, adopted).await?;
    let lost = sqlx::query_scalar!(
        "select battle_id from battle where server_id = $1 and battle_is_allocated(state)
             and battle_id <> all($2) and battle_id <> all($3)",
        server_id,
        adopted,
        &kept
    )
    .fetch_all(&mut *db)
    .await?;
    let how = Requeue { why: "its server restarted before it began", tries_max: None };
    requeue(db, server_id, &lost, &how).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> rpc::RegisterRequest {
        rpc::RegisterRequest {
            name: "one".into(),
            address: "[::1]:4433".into(),
            fingerprint: vec![0; 32],
            protocol_version: 1,
            battles_max: 1,
            players_max: 64,
            ..Default::default()
        }
    }

    #[test]
    fn a_request_has_bounds() {
        assert!(Registration::try_from(request()).is_ok());
        type Change = fn(&mut rpc::RegisterRequest);
        let wrong: [(&str, Change); 13] = [
            ("name", |request| request.name = "x".repeat(64)),
            ("address", |request| request.address = "nowhere".into()),
            ("address", |request| request.address = "host:0".into()),
            ("address", |request| request.address = format!("{}:1", "h".repeat(300))),
            ("address", |request| request.address = "0.0.0.0:4433".into()),
            ("protocol_version", |request| request.protocol_version = 0),
            ("fingerprint", |request| request.fingerprint.clear()),
            ("version", |request| request.version = "1".repeat(65)),
            ("battles_max", |request| request.battles_max = 0),
            ("players_max", |request| request.players_max = u32::MAX),
            ("identity", |request| request.identity = vec![1; 31]),
            ("battles", |request| request.battles = vec!["no id".into()]),
            ("battles", |request| request.battles = vec![Uuid::nil().to_string(); 65]),
        ];
        for (field, change) in wrong {
            let mut request = request();
            change(&mut request);
            let error = Registration::try_from(request).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|text| text.starts_with(field)), "{error:?}");
        }
    }
}
