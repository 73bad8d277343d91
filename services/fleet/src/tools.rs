//! `Fleet.ListServers`, `Drain`, `EndBattle`, `Kick`: what tools ask for. Each writes an order and
//! an audit row; the server's stream does the rest.

use serde_json::json;
use sortie_battles::order::ServerOrder;
use sortie_battles::state::ServerState;
use sortie_battles::{battle, server};
use sortie_control::audit::{self, AuditOutcome, Entry};
use sortie_rpc::fleet::v1 as rpc;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::beat::load_of;
use crate::error::FleetError;

/// Most servers that are listed.
const SERVERS_MAX: i64 = 1_000;

/// Servers with a lease, and those that lost theirs within the last hour.
pub(crate) async fn list_servers(db: &PgPool) -> Result<Vec<rpc::Server>, FleetError> {
    let rows = sqlx::query!(
        r#"select server_id, name, address, version, state, battles_max, load,
               (select count(*) from battle b where b.server_id = s.server_id
                   and battle_is_on_server(b.state)) as "battles!"
           from battle_server s
           where not server_is_gone(state) or gone_at > now() - interval '1 hour'
           order by name limit $1"#,
        SERVERS_MAX
    )
    .fetch_all(db)
    .await?;
    let server = rows.into_iter().map(|row| rpc::Server {
        server_id: row.server_id.to_string(),
        name: row.name,
        address: row.address,
        version: row.version,
        state: row.state,
        battles: u32::try_from(row.battles).unwrap_or(u32::MAX),
        battles_max: row.battles_max.max(0).unsigned_abs(),
        load: Some(load_of(&row.load)),
    });
    Ok(server.collect())
}

/// Takes a server out of placement and orders it to finish. Again: nothing changes.
pub(crate) async fn drain(db: &PgPool, server_id: Uuid) -> Result<(), FleetError> {
    let mut tx = db.begin().await?;
    let state = sqlx::query_scalar!(
        "select state from battle_server where server_id = $1 for no key update",
        server_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(FleetError::UnknownServer(server_id))?;
    match ServerState::of_name(&state) {
        Some(ServerState::Gone) => return Err(FleetError::LeaseLost),
        Some(ServerState::Draining) => return Ok(()),
        _ => {}
    }
    server::drain(&mut tx, server_id).await?;
    note(&mut tx, "fleet.drain", format!("server:{server_id}"), "").await?;
    Ok(tx.commit().await?)
}

/// Orders the end of a battle; one that no server has yet is cancelled.
pub(crate) async fn end_battle(
    db: &PgPool,
    battle_id: Uuid,
    reason: &str,
) -> Result<(), FleetError> {
    let mut tx = db.begin().await?;
    let held = battle::hold(&mut tx, battle_id).await?;
    let held = held.ok_or(FleetError::UnknownBattle(battle_id))?;
    if !held.is_live() {
        return Err(FleetError::BattleOver);
    }
    battle::end(&mut tx, battle_id, &held, reason).await?;
    note(&mut tx, "fleet.end_battle", format!("battle:{battle_id}"), reason).await?;
    Ok(tx.commit().await?)
}

/// Orders a player out of a battle, or of whichever it is in.
pub(crate) async fn kick(
    db: &PgPool,
    battle_id: Option<Uuid>,
    player_id: Uuid,
    reason: &str,
) -> Result<(), FleetError> {
    let mut tx = db.begin().await?;
    let battles = sqlx::query!(
        r#"select b.battle_id, b.server_id as "server_id!" from battle_player p
           join battle b using (battle_id)
           where p.player_id = $1 and battle_is_on_server(b.state)
               and ($2::uuid is null or b.battle_id = $2)
           order by b.server_id"#,
        player_id,
        battle_id
    )
    .fetch_all(&mut *tx)
    .await?;
    if battles.is_empty() {
        return Err(FleetError::PlayerElsewhere);
    }
    for row in battles {
        let order = ServerOrder::kick(row.battle_id, player_id, reason);
        order.write(&mut tx, row.server_id).await?;
    }
    note(&mut tx, "fleet.kick", format!("player:{player_id}"), reason).await?;
    Ok(tx.commit().await?)
}

/// Whoever has the fleet's secret has no name: the row says what was done, and that is all.
async fn note(
    db: &mut PgConnection,
    action: &str,
    target: String,
    reason: &str,
) -> sqlx::Result<()> {
    let after = (!reason.is_empty()).then(|| json!({ "reason": audit::digest(reason) }));
    let outcome = AuditOutcome::Done;
    let entry = Entry { actor: None, action, outcome, target, before: None, after };
    audit::append(db, &entry).await
}
