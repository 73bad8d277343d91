//! The orders of a server as the messages that they become.

use serde::Deserialize;
use serde_json::Value;
use sortie_battles::order::{self, OpenBody};
use sortie_rpc::fleet::v1 as rpc;
use sortie_rpc::fleet::v1::order::What;
use sqlx::PgPool;
use uuid::Uuid;

use crate::error::FleetError;

/// Most orders that are read at once.
pub(crate) const ORDERS_MAX: i64 = 64;

#[derive(Deserialize)]
struct KickBody {
    battle_id: Option<Uuid>,
    player_id: Uuid,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct MessageBody {
    battle_id: Uuid,
    text: String,
}

#[derive(Deserialize)]
struct EraseBody {
    player_id: Uuid,
}

#[derive(Deserialize)]
struct EndBody {
    battle_id: Uuid,
    #[serde(default)]
    reason: String,
}

/// Orders after `sent` that the server has not carried out, oldest first; at most
/// [`ORDERS_MAX`]. Rows that no server could read are dropped here.
///
/// # Errors
/// The server has another epoch by now, or no lease.
pub(crate) async fn open_orders(
    db: &PgPool,
    server_id: Uuid,
    epoch: i64,
    sent: i64,
) -> Result<Vec<rpc::Order>, FleetError> {
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
    if server.state == "gone" {
        return Err(FleetError::LeaseLost);
    }
    let mut orders = Vec::new();
    for row in rows {
        let (Some(order_id), Some(kind), Some(body)) = (row.order_id, row.kind, row.body) else {
            continue;
        };
        match what(&kind, body) {
            Ok(what) => {
                orders.push(rpc::Order { order_id: order_id.unsigned_abs(), what: Some(what) })
            }
            Err(error) => {
                tracing::error!(order_id, kind, %error, "an order cannot be read; it is dropped");
                order::drop_unreadable(db, order_id).await?;
            }
        }
    }
    Ok(orders)
}

fn what(kind: &str, body: Value) -> Result<What, serde_json::Error> {
    use serde::de::Error;
    let u32_of = |number: i32| number.max(0).unsigned_abs();
    Ok(match kind {
        "open" => {
            let body: OpenBody = serde_json::from_value(body)?;
            What::Open(rpc::OpenBattle {
                battle_id: body.battle_id.to_string(),
                mode: body.mode,
                map: body.map,
                players_max: u32_of(body.players_max),
                duration_s: u32_of(body.duration_s.unwrap_or(0)),
            })
        }
        "kick" => {
            let body: KickBody = serde_json::from_value(body)?;
            What::Kick(rpc::KickPlayer {
                battle_id: body.battle_id.map(|id| id.to_string()).unwrap_or_default(),
                player_id: body.player_id.to_string(),
                reason: body.reason,
            })
        }
        "message" => {
            let body: MessageBody = serde_json::from_value(body)?;
            What::Message(rpc::SayInBattle {
                battle_id: body.battle_id.to_string(),
                text: body.text,
            })
        }
        "end" => {
            let body: EndBody = serde_json::from_value(body)?;
            What::End(rpc::StopBattle {
                battle_id: body.battle_id.to_string(),
                reason: body.reason,
            })
        }
        "erase" => {
            let body: EraseBody = serde_json::from_value(body)?;
            What::Erase(rpc::ErasePlayer { player_id: body.player_id.to_string() })
        }
        "drain" => What::Drain(rpc::DrainServer {}),
        other => return Err(serde_json::Error::custom(format!("no kind of order: {other}"))),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sortie_battles::order::Order;

    use super::*;

    #[test]
    fn every_order_that_is_written_can_be_read() {
        let (battle, player) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let open = OpenBody { battle_id: battle, duration_s: Some(60), ..Default::default() };
        for Order { kind, body } in [
            Order::open(&open),
            Order::end(battle, "why"),
            Order::kick(battle, player, "why"),
            Order::message(battle, "hello"),
            Order::drain(),
        ] {
            assert!(what(kind, body).is_ok(), "{kind}");
        }
        let text = json!({ "battle_id": battle, "text": "hello" });
        assert!(matches!(what("message", text), Ok(What::Message(_))));
        assert!(matches!(what("erase", json!({ "player_id": player })), Ok(What::Erase(_))));
        assert!(what("dance", json!({})).is_err() && what("open", json!({})).is_err());
    }
}
