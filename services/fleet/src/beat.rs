//! A heartbeat is stored: the lease, the load, what was carried out, how battles stand.

use std::collections::HashSet;

use serde_json::{Value, json};
use sortie_battles::order::{self, ServerOrder};
use sortie_battles::{battle, server};
use sortie_rpc::fleet::v1 as rpc;
use sortie_whereabouts::seat::{self, Departed};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::error::FleetError;
use crate::requeue::{Requeue, requeue};
use crate::settings::Settings;

/// What of a heartbeat is stored.
pub(crate) struct Beat {
    pub(crate) server_id: Uuid,
    pub(crate) epoch: i64,
    /// Whether the server showed its credential.
    pub(crate) is_proven: bool,
    /// Newest order carried out.
    pub(crate) order_done: i64,
    pub(crate) load: Value,
    pub(crate) is_draining: bool,
    /// By battle, without positions.
    pub(crate) statuses: Vec<(Uuid, Value)>,
    /// Who left which battle for good, and when.
    pub(crate) gone: Vec<Departed>,
    /// Battles that the server cannot open, and why.
    pub(crate) refused: Vec<(Uuid, String)>,
}

/// Load as `battle_server.load` has it.
pub(crate) fn load_json(load: rpc::Load) -> Value {
    json!({
        "players": load.players,
        "tick_p99_us": load.tick_p99_us,
        "tick_overruns": load.tick_overruns,
        "overload_step": load.overload_step,
        "regions": load.regions,
        "region_players_max": load.region_players_max,
    })
}

/// Load of `battle_server.load`.
pub(crate) fn load_of(value: &Value) -> rpc::Load {
    let number = |name| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    let small = |name| u32::try_from(number(name)).unwrap_or(u32::MAX);
    rpc::Load {
        players: small("players"),
        tick_p99_us: small("tick_p99_us"),
        tick_overruns: number("tick_overruns"),
        overload_step: small("overload_step"),
        regions: small("regions"),
        region_players_max: small("region_players_max"),
    }
}

/// Stores it; says which of the battles are the server's own.
///
/// # Errors
/// The server is not known, has another epoch by now, or no lease.
pub(crate) async fn store(
    db: &PgPool,
    beat: &Beat,
    settings: &Settings,
) -> Result<HashSet<Uuid>, FleetError> {
    let mut tx = db.begin().await?;
    renew(&mut tx, beat, settings).await?;
    if beat.order_done > 0 {
        order::carried_out(&mut tx, beat.server_id, beat.order_done).await?;
    }
    let own = store_statuses(&mut tx, beat).await?;
    store_departures(&mut tx, beat, &own).await?;
    end_strangers(&mut tx, beat, &own).await?;
    for (battle_id, why) in &beat.refused {
        let why = format!("a server cannot open it: {why}");
        let how = Requeue { why: &why, tries_max: Some(settings.tries_max) };
        let moved = requeue(&mut tx, beat.server_id, &[*battle_id], &how).await?;
        if moved > 0 {
            tracing::warn!(%battle_id, server_id = %beat.server_id, why, "a battle was refused");
        }
    }
    tx.commit().await?;
    Ok(own)
}

async fn renew(db: &mut PgConnection, beat: &Beat, settings: &Settings) -> Result<(), FleetError> {
    let told = server::Beat {
        server_id: beat.server_id,
        epoch: beat.epoch,
        load: &beat.load,
        is_draining: beat.is_draining,
        is_proven: beat.is_proven,
    };
    if server::renew(&mut *db, &told, settings.lease.as_secs_f64()).await? {
        return Ok(());
    }
    let row = sqlx::query!(
        r#"select epoch, identity_hash is not null as "has_identity!" from battle_server
           where server_id = $1"#,
        beat.server_id
    )
    .fetch_optional(db)
    .await?;
    Err(match row {
        None => FleetError::UnknownServer(beat.server_id),
        Some(row) if row.has_identity && !beat.is_proven => FleetError::Unproven,
        Some(row) if row.epoch == beat.epoch => FleetError::LeaseLost,
        Some(_) => FleetError::OldEpoch,
    })
}

/// The first status makes a battle running.
async fn store_statuses(db: &mut PgConnection, beat: &Beat) -> sqlx::Result<HashSet<Uuid>> {
    if beat.statuses.is_empty() {
        return Ok(HashSet::new());
    }
    let (battles, statuses): (Vec<Uuid>, Vec<Value>) = beat.statuses.iter().cloned().unzip();
    let own = battle::told(db, beat.server_id, beat.epoch, &battles, &statuses).await?;
    Ok(own.into_iter().collect())
}

/// Seats of players who left for good may be given away.
async fn store_departures(
    db: &mut PgConnection,
    beat: &Beat,
    own: &HashSet<Uuid>,
) -> sqlx::Result<()> {
    let gone = beat.gone.iter().filter(|departed| own.contains(&departed.battle_id));
    let gone: Vec<Departed> = gone.copied().collect();
    if gone.is_empty() {
        return Ok(());
    }
    seat::free_departed(db, &gone).await
}

/// A server that runs what is not its own is told to end it. A finished battle may be shown a
/// little longer.
async fn end_strangers(
    db: &mut PgConnection,
    beat: &Beat,
    own: &HashSet<Uuid>,
) -> sqlx::Result<()> {
    let listed = beat.statuses.iter().map(|(battle_id, _)| *battle_id);
    let strange: Vec<Uuid> = listed.filter(|battle_id| !own.contains(battle_id)).collect();
    if strange.is_empty() {
        return Ok(());
    }
    let to_end = order::not_to_run(db, beat.server_id, &strange).await?;
    for battle_id in to_end {
        let server_id = beat.server_id;
        tracing::warn!(%battle_id, %server_id, "a server runs what is not its own");
        ServerOrder::end(battle_id, "it is not this server's").write(db, beat.server_id).await?;
    }
    Ok(())
}
