//! `Fleet.Register`: a server comes up, or comes back with what it still runs.

use sortie_control::internal::identity_hash;
use sortie_rpc::fleet::v1 as rpc;
use sqlx::PgPool;
use uuid::Uuid;

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
        if request.address.len() > 255 || !has_port(&request.address) {
            return Err(FleetError::invalid("address: host:port, at most 255 characters"));
        }
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
            protocol_version: bounded("protocol_version", request.protocol_version, 0, i32::MAX)?,
            battles_max: bounded("battles_max", request.battles_max, 1, 64)?,
            players_max: bounded("players_max", request.players_max, 1, 8_192)?,
            listed,
            identity_hash: (!request.identity.is_empty()).then(|| identity_hash(&request.identity)),
        })
    }
}

fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

fn bounded(field: &str, value: u32, min: i32, max: i32) -> Result<i32, FleetError> {
    let value = i32::try_from(value).ok().filter(|value| (min..=max).contains(value));
    value.ok_or_else(|| FleetError::invalid(format!("{field} must be {min} to {max}")))
}

/// Gives the server a new epoch and the battles that it still has.
///
/// A name belongs to the identity that registered it first. Without that identity nobody has it
/// before its server was gone for so long that its battles are lost; a server of before there were
/// identities is known by its name alone, and so nobody may have that while its lease lasts.
pub(crate) async fn register(
    db: &PgPool,
    server: Registration,
    settings: &Settings,
) -> Result<Registered, FleetError> {
    let mut tx = db.begin().await?;
    // An order to drain outlives a restart until it was carried out.
    let row = sqlx::query!(
        "insert into battle_server as s (server_id, name, address, fingerprint, version,
             protocol_version, battles_max, players_max, state, lease_until, identity_hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'ready', now() + make_interval(secs => $9), $10)
         on conflict (name) do update set
             address = excluded.address, fingerprint = excluded.fingerprint,
             version = excluded.version, protocol_version = excluded.protocol_version,
             battles_max = excluded.battles_max, players_max = excluded.players_max,
             state = case when exists (select from server_order o where o.server_id = s.server_id
                 and o.kind = 'drain' and o.acknowledged_at is null) then 'draining'
                 else 'ready' end,
             epoch = s.epoch + 1, lease_until = excluded.lease_until, load = '{}',
             registered_at = now(), gone_at = null, identity_hash = excluded.identity_hash,
             identity_since = case when s.identity_hash is null
                 or s.identity_hash = excluded.identity_hash then s.identity_since
                 else s.epoch + 1 end
         where s.identity_hash = excluded.identity_hash
             or (s.identity_hash is null and s.lease_until < now())
             or s.lease_until < now() - make_interval(secs => $11)
         returning server_id, epoch, identity_since",
        Uuid::now_v7(),
        server.name,
        server.address,
        server.fingerprint,
        server.version,
        server.protocol_version,
        server.battles_max,
        server.players_max,
        settings.lease.as_secs_f64(),
        server.identity_hash,
        settings.return_grace.as_secs_f64()
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else {
        metrics::counter!("sortie_fleet_names_refused_total").increment(1);
        tracing::warn!(name = server.name, "a server wants a name that is another's");
        return Err(FleetError::NameTaken);
    };
    let (server_id, epoch) = (row.server_id, row.epoch);
    // What it lists is its own, unless it is over or was given to another since. A battle that
    // was given up as lost is not over: its server still has it, and its players may be in it.
    let adopted = sqlx::query_scalar!(
        "update battle set server_id = $1, server_epoch = $2, told_at = now(),
             allocated_at = coalesce(allocated_at, now()),
             state = case state when 'asked' then 'allocated' when 'lost' then 'running'
                 else state end,
             ended_at = null
         where battle_id = any($3) and (state = 'asked'
             or (server_id = $1 and state in ('allocated', 'running', 'lost')
                 and server_epoch >= $4))
         returning battle_id",
        server_id,
        epoch,
        &server.listed,
        row.identity_since
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!(
        "update server_order set acknowledged_at = now()
         where server_id = $1 and kind = 'open' and acknowledged_at is null
             and (body->>'battle_id')::uuid = any($2)",
        server_id,
        &adopted
    )
    .execute(&mut *tx)
    .await?;
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
    let kept = sqlx::query_scalar!(
        "update battle b set server_epoch = $2, allocated_at = now()
         where server_id = $1 and state = 'allocated' and battle_id <> all($3)
             and exists (select from server_order o where o.server_id = $1 and o.kind = 'open'
                 and o.acknowledged_at is null and (o.body->>'battle_id')::uuid = b.battle_id)
         returning battle_id",
        server_id,
        epoch,
        adopted
    )
    .fetch_all(&mut *db)
    .await?;
    let lost = sqlx::query_scalar!(
        "select battle_id from battle where server_id = $1 and state = 'allocated'
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
            battles_max: 1,
            players_max: 64,
            ..Default::default()
        }
    }

    #[test]
    fn a_request_has_bounds() {
        assert!(Registration::try_from(request()).is_ok());
        type Change = fn(&mut rpc::RegisterRequest);
        let wrong: [(&str, Change); 11] = [
            ("name", |request| request.name = "x".repeat(64)),
            ("address", |request| request.address = "nowhere".into()),
            ("address", |request| request.address = "host:0".into()),
            ("address", |request| request.address = format!("{}:1", "h".repeat(300))),
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
