//! The orders of a server as the messages that they become.

use sortie_battles::order::ServerOrder;
use sortie_battles::state::ServerState;
use sortie_rpc::fleet::v1 as rpc;
use sortie_rpc::fleet::v1::order::What;
use sqlx::PgPool;
use uuid::Uuid;

use crate::error::FleetError;

/// Most orders that are read at once.
pub(crate) const ORDERS_MAX: i64 = 64;

/// What a look at a server's orders found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What it is to be sent, oldest first.
    pub(crate) orders: Vec<rpc::Order>,
    /// Number of the last row, also of one that is not sent; `None`: there was no row.
    pub(crate) last: Option<i64>,
    /// Whether there may be more behind it.
    pub(crate) is_cut: bool,
}

/// Orders after `sent` that the server has not carried out; at most [`ORDERS_MAX`] rows are looked
/// at. Rows of a kind that only a newer node knows are passed over, and stay for it.
///
/// # Errors
/// The server has another epoch by now, or no lease.
pub(crate) async fn open_orders(
    db: &PgPool,
    server_id: Uuid,
    epoch: i64,
    sent: i64,
) -> Result<Found, FleetError> {
    let rows = sqlx::query!(
        r#"select s.epoch, s.state, o.order_id as "order_id?", o.kind as "kind?", o.body as "body?"
           from battle_server s
           left join server_order o on o.server_id = s.server_id
               and o.acknowledged_at is null and o.order_id > $2
           where s.server_id = $1 order by o.order_id limit $3"#,
        server_id,
        sent,
        ORDERS_MAX
    )
    .fetch_all(db)
    .await?;
    let server = rows.first().ok_or(FleetError::UnknownServer(server_id))?;
    if server.epoch != epoch {
        return Err(FleetError::OldEpoch);
    }
    if ServerState::Gone.is(&server.state) {
        return Err(FleetError::LeaseLost);
    }
    let mut found = Found { is_cut: rows.len() as i64 == ORDERS_MAX, ..Found::default() };
    for row in rows {
        let (Some(order_id), Some(kind), Some(body)) = (row.order_id, row.kind, row.body) else {
            continue;
        };
        found.last = Some(order_id);
        let order = ServerOrder::read(kind, body);
        if let ServerOrder::Unknown { kind, .. } = &order {
            tracing::warn!(order_id, kind, "an order is left for a node that can read it");
        }
        let order_id = order_id.unsigned_abs();
        found.orders.extend(what(order).map(|what| rpc::Order { order_id, what: Some(what) }));
    }
    Ok(found)
}

/// The message of an order; `None`: this version does not know what it is.
fn what(order: ServerOrder) -> Option<What> {
    let u32_of = |number: i32| number.max(0).unsigned_abs();
    Some(match order {
        ServerOrder::Open(body) => What::Open(rpc::OpenBattle {
            battle_id: body.battle_id.to_string(),
            mode: body.mode,
            map: body.map,
            players_max: u32_of(body.players_max),
            duration_s: u32_of(body.duration_s.unwrap_or(0)),
        }),
        ServerOrder::Kick { battle_id, player_id, reason } => What::Kick(rpc::KickPlayer {
            battle_id: battle_id.map(|id| id.to_string()).unwrap_or_default(),
            player_id: player_id.to_string(),
            reason,
        }),
        ServerOrder::Message { battle_id, text } => {
            What::Message(rpc::SayInBattle { battle_id: battle_id.to_string(), text })
        }
        ServerOrder::End { battle_id, reason } => {
            What::End(rpc::StopBattle { battle_id: battle_id.to_string(), reason })
        }
        ServerOrder::Erase { player_id } => {
            What::Erase(rpc::ErasePlayer { player_id: player_id.to_string() })
        }
        ServerOrder::Drain {} => What::Drain(rpc::DrainServer {}),
        ServerOrder::Unknown { .. } => return None,
    })
}
