//! Battle servers: who is there, under which epoch, and until when.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::order::ServerOrder;

/// A server as it registers.
#[derive(Clone, Debug)]
pub struct Registering {
    /// What operators call it.
    pub name: String,
    /// Where clients connect, host:port.
    pub address: String,
    /// SHA-256 of its certificate.
    pub fingerprint: Vec<u8>,
    /// Of its program.
    pub version: String,
    /// Of what clients speak with it.
    pub protocol_version: i32,
    /// Most battles at a time.
    pub battles_max: i32,
    /// Most players in one.
    pub players_max: i32,
    /// SHA-256 of what it proves with that the name is its own.
    pub identity_hash: Option<Vec<u8>>,
}

/// What a server is, once it has registered.
#[derive(Clone, Copy, Debug)]
pub struct Registered {
    /// The same as long as it has the name.
    pub server_id: Uuid,
    /// Number of the registration that was just made.
    pub epoch: i64,
    /// The epoch under which its identity came.
    pub identity_since: i64,
}

/// Gives a server its name and a new epoch; `None`: the name is another's.
///
/// A name belongs to the identity that registered it first. Without that identity nobody has it
/// before its server was gone for `grace_s`; a server of before there were identities is known by
/// its name alone, and so nobody may have that while its lease lasts.
///
/// # Errors
/// The database failed, or the name cannot be.
pub async fn register(
    db: &mut PgConnection,
    server: Registering,
    lease_s: f64,
    grace_s: f64,
) -> sqlx::Result<Option<Registered>> {
    // An order to drain outlives a restart until it was carried out.
    sqlx::query_as!(
        Registered,
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
        lease_s,
        server.identity_hash,
        grace_s
    )
    .fetch_optional(db)
    .await
}

/// What a server tells again and again.
#[derive(Clone, Copy, Debug)]
pub struct Beat<'a> {
    /// Which server.
    pub server_id: Uuid,
    /// Number of the registration that the stream belongs to.
    pub epoch: i64,
    /// How much it has to do.
    pub load: &'a Value,
    /// Whether it finishes its battles and takes no more.
    pub is_draining: bool,
    /// Whether it showed its credential.
    pub is_proven: bool,
}

/// Renews a server's lease; false: it has none, or another epoch, or did not prove itself.
///
/// # Errors
/// The database failed.
pub async fn renew(db: &mut PgConnection, beat: &Beat<'_>, lease_s: f64) -> sqlx::Result<bool> {
    let renewed = sqlx::query!(
        "update battle_server set lease_until = now() + make_interval(secs => $3), load = $4,
             state = case when $5 then 'draining' else state end
         where server_id = $1 and epoch = $2 and state <> 'gone'
             and ($6 or identity_hash is null)",
        beat.server_id,
        beat.epoch,
        lease_s,
        beat.load,
        beat.is_draining,
        beat.is_proven
    )
    .execute(db)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Takes a server out of placement, and orders it to finish the battles that it has.
///
/// # Errors
/// The database failed.
pub async fn drain(db: &mut PgConnection, server_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update battle_server set state = 'draining' where server_id = $1", server_id)
        .execute(&mut *db)
        .await?;
    ServerOrder::Drain {}.write(db, server_id).await
}

/// Marks one server as gone whose lease ran out, and gives which.
///
/// # Errors
/// The database failed.
pub async fn mark_gone(db: &mut PgConnection) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "update battle_server set state = 'gone', gone_at = now()
         where server_id = (select server_id from battle_server
             where state <> 'gone' and lease_until < now()
             order by lease_until limit 1 for update skip locked)
         returning server_id"
    )
    .fetch_optional(db)
    .await
}

/// Lets a drained server without battles go for good; whether it was one.
///
/// # Errors
/// The database failed.
pub async fn goodbye(db: impl PgExecutor<'_>, server_id: Uuid, epoch: i64) -> sqlx::Result<bool> {
    let left = sqlx::query!(
        "update battle_server set state = 'gone', gone_at = now(), lease_until = now()
             where server_id = $1 and epoch = $2 and state = 'draining' and not exists (
                 select from battle where server_id = $1 and state in ('allocated', 'running'))",
        server_id,
        epoch
    )
    .execute(db)
    .await?;
    Ok(left.rows_affected() == 1)
}
