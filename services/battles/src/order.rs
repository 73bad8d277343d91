//! What servers are to do: rows of `server_order`. A row stays open until its server has carried it
//! out.

use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// An order as it is written.
#[derive(Clone, Debug)]
pub struct Order {
    /// What a server is to do.
    pub kind: &'static str,
    /// Arguments of the order; an object, whose fields depend on `kind`.
    pub body: Value,
}

/// What a server has to know of a battle.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct OpenBody {
    /// Id of the battle to open.
    pub battle_id: Uuid,
    /// `conquest`, `deathmatch` or `walk`.
    pub mode: String,
    /// A map that battle servers have.
    pub map: String,
    /// Players who may be in it at a time.
    pub players_max: i32,
    /// `None`: until the round is over.
    pub duration_s: Option<i32>,
}

impl Order {
    /// Begin a battle.
    pub fn open(battle: &OpenBody) -> Self {
        Self {
            kind: "open",
            body: json!({
                "battle_id": battle.battle_id,
                "mode": battle.mode,
                "map": battle.map,
                "players_max": battle.players_max,
                "duration_s": battle.duration_s,
            }),
        }
    }

    /// End a battle, with the result that it has.
    pub fn end(battle_id: Uuid, reason: &str) -> Self {
        Self { kind: "end", body: json!({ "battle_id": battle_id, "reason": reason }) }
    }

    /// End a player's stay in a battle.
    pub fn kick(battle_id: Uuid, player_id: Uuid, reason: &str) -> Self {
        let body = json!({ "battle_id": battle_id, "player_id": player_id, "reason": reason });
        Self { kind: "kick", body }
    }

    /// Say something to all players of a battle.
    pub fn message(battle_id: Uuid, text: &str) -> Self {
        Self { kind: "message", body: json!({ "battle_id": battle_id, "text": text }) }
    }

    /// Finish the battles that are there, and take no more.
    pub fn drain() -> Self {
        Self { kind: "drain", body: json!({}) }
    }

    /// Writes it, unless the very same one waits to be carried out already.
    ///
    /// # Errors
    /// The database failed.
    pub async fn write(&self, db: &mut PgConnection, server_id: Uuid) -> sqlx::Result<()> {
        sqlx::query!(
            "insert into server_order (server_id, kind, body)
             select $1, $2, $3 where not exists (
                 select from server_order
                 where server_id = $1 and kind = $2 and body = $3 and acknowledged_at is null)",
            server_id,
            self.kind,
            self.body
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Writes it, also when the very same one waits: the server may be at it, and what it is about
    /// has happened again since.
    ///
    /// # Errors
    /// The database failed.
    pub async fn write_again(&self, db: &mut PgConnection, server_id: Uuid) -> sqlx::Result<()> {
        sqlx::query!(
            "insert into server_order (server_id, kind, body) values ($1, $2, $3)",
            server_id,
            self.kind,
            self.body
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// Orders a player out of all battles; gives how many.
///
/// # Errors
/// The database failed.
pub async fn kick(db: &mut PgConnection, player_id: Uuid, why: &str) -> sqlx::Result<i32> {
    let kicked = sqlx::query_scalar!("select kick_player($1, $2)", player_id, why);
    Ok(kicked.fetch_one(db).await?.unwrap_or_default())
}

/// A server has carried out its orders up to this one.
///
/// # Errors
/// The database failed.
pub async fn carried_out(
    db: &mut PgConnection,
    server_id: Uuid,
    order_done: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update server_order set acknowledged_at = now()
             where server_id = $1 and order_id <= $2 and acknowledged_at is null",
        server_id,
        order_done
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A server has these battles already, and need not be told to open them.
///
/// # Errors
/// The database failed.
pub async fn opened(db: &mut PgConnection, server_id: Uuid, battles: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "update server_order set acknowledged_at = now()
         where server_id = $1 and kind = 'open' and acknowledged_at is null
             and (body->>'battle_id')::uuid = any($2)",
        server_id,
        battles
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Drops an order that no server could read.
///
/// # Errors
/// The database failed.
pub async fn drop_unreadable(db: impl PgExecutor<'_>, order_id: i64) -> sqlx::Result<()> {
    sqlx::query!("delete from server_order where order_id = $1", order_id).execute(db).await?;
    Ok(())
}

/// Drops orders of servers that are gone for so long. What is to be erased waits for them: their
/// disks may come back at any time, with names on them.
///
/// # Errors
/// The database failed.
pub async fn drop_of_gone(db: impl PgExecutor<'_>, grace_s: f64) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from server_order o using battle_server s
         where o.server_id = s.server_id and o.acknowledged_at is null
             and o.kind <> 'erase' and s.state = 'gone'
             and s.gone_at < now() - make_interval(secs => $1)",
        grace_s
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes orders that were carried out so long ago, or written so long ago.
///
/// # Errors
/// The database failed.
pub async fn expire(db: &mut PgConnection, done_s: f64, written_s: f64) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from server_order where acknowledged_at < now() - make_interval(secs => $1)
             or created_at < now() - make_interval(secs => $2)",
        done_s,
        written_s
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a player out of the texts of orders, orders battle servers to take its name out of their
/// journals and replays, and ends its stay in battles.
///
/// # Errors
/// The database failed.
pub async fn erase(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "update server_order set body = jsonb_set(body, '{reason}', to_jsonb('erased'::text))
         where body->>'player_id' = $1 and body ? 'reason'",
        player_id.to_string()
    )
    .execute(&mut *db)
    .await?;
    // What was said in the player's battles may name it. Orders that wait are carried out soon.
    sqlx::query!(
        "insert into server_order (server_id, kind, body)
         select distinct b.server_id, 'erase', jsonb_build_object('player_id', $1::uuid)
         from battle_player p join battle b using (battle_id)
         where p.player_id = $1 and b.server_id is not null
         -- Orders lock their server: always in the same order, so that nobody waits in a circle.
         order by b.server_id",
        player_id
    )
    .execute(&mut *db)
    .await?;
    // Of these servers, those that have one of its battles now.
    kick(db, player_id, "erased").await?;
    Ok(())
}
