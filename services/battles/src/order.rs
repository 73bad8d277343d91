//! What servers are to do: rows of `server_order`. A row stays open until its server has carried it
//! out.
//!
//! Nodes of this version and of the next one read each other's rows. The rules: a kind keeps its
//! name and the fields of its body; a body may gain a field that may be absent; a new meaning is a
//! new kind. A kind that a node does not know is [`ServerOrder::Unknown`] to it: it keeps the row
//! as it is, for a newer node. docs/decisions/0015 says why.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// An order as `server_order` holds it: the variant's name is the column `kind`, its fields are the
/// column `body`. The tests below hold each stored form fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum ServerOrder {
    /// Begin a battle.
    Open(OpenBody),
    /// End a player's stay.
    Kick {
        /// `None`: in whatever battle the player is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        battle_id: Option<Uuid>,
        /// The player's account.
        player_id: Uuid,
        /// For the player's eyes.
        #[serde(default)]
        reason: String,
    },
    /// Say something to all players of a battle.
    Message {
        /// The battle whose players are told.
        battle_id: Uuid,
        /// The line that they see.
        text: String,
    },
    /// End a battle, with the result that it has.
    End {
        /// The battle to end.
        battle_id: Uuid,
        /// For operators.
        #[serde(default)]
        reason: String,
    },
    /// Take a player's name out of journals and replays, also of battles that are over.
    Erase {
        /// The player's account.
        player_id: Uuid,
    },
    /// Finish the battles that are there, and take no more.
    Drain {},
    /// A newer node's, or a body that does not fit its kind: as it stands there.
    #[serde(untagged)]
    Unknown {
        /// The column `kind`.
        kind: String,
        /// The column `body`.
        body: Value,
    },
}

/// What a server has to know of a battle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenBody {
    /// Id of the battle to open.
    pub battle_id: Uuid,
    /// A game mode's name.
    pub mode: String,
    /// A map that battle servers have.
    pub map: String,
    /// Players who may be in it at a time.
    pub players_max: i32,
    /// `None`: until the round is over.
    pub duration_s: Option<i32>,
}

/// The two columns of an order.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    kind: String,
    body: Value,
}

/// Kinds that wait for a server that is gone; the others are dropped with it.
const OUTLIVES_ITS_SERVER: [&str; 1] = ["erase"];

impl ServerOrder {
    /// The kinds that this version can read, as the column spells them.
    pub const KINDS: [&str; 6] = ["open", "kick", "message", "end", "erase", "drain"];

    /// Reads a row. Nothing is refused: what this version cannot read is [`ServerOrder::Unknown`].
    pub fn read(kind: String, body: Value) -> Self {
        let row = serde_json::json!({ "kind": &kind, "body": &body });
        serde_json::from_value(row).unwrap_or(Self::Unknown { kind, body })
    }

    /// End a battle, with the result that it has.
    pub fn end(battle_id: Uuid, reason: &str) -> Self {
        Self::End { battle_id, reason: reason.to_owned() }
    }

    /// End a player's stay in a battle.
    pub fn kick(battle_id: Uuid, player_id: Uuid, reason: &str) -> Self {
        Self::Kick { battle_id: Some(battle_id), player_id, reason: reason.to_owned() }
    }

    /// Say something to all players of a battle.
    pub fn message(battle_id: Uuid, text: &str) -> Self {
        Self::Message { battle_id, text: text.to_owned() }
    }

    fn row(&self) -> sqlx::Result<Row> {
        let row = serde_json::to_value(self).and_then(serde_json::from_value);
        row.map_err(|error| sqlx::Error::Encode(error.into()))
    }

    /// Writes it, unless the very same one waits to be carried out already.
    ///
    /// # Errors
    /// The database failed.
    pub async fn write(&self, db: &mut PgConnection, server_id: Uuid) -> sqlx::Result<()> {
        let Row { kind, body } = self.row()?;
        sqlx::query!(
            "insert into server_order (server_id, kind, body)
             select $1, $2, $3 where not exists (
                 select from server_order
                 where server_id = $1 and kind = $2 and body = $3 and acknowledged_at is null)",
            server_id,
            kind,
            body
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
        let Row { kind, body } = self.row()?;
        sqlx::query!(
            "insert into server_order (server_id, kind, body) values ($1, $2, $3)",
            server_id,
            kind,
            body
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

/// A server has carried out its orders up to this one, as far as they were sent to it: those of a
/// kind that this version does not know get new numbers, behind what is carried out. A newer node
/// sends them, because an open order's number is above all that its server has carried out.
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
             where server_id = $1 and order_id <= $2 and acknowledged_at is null
                 and kind = any($3)",
        server_id,
        order_done,
        &known_kinds()
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update server_order set order_id = default
             where server_id = $1 and order_id <= $2 and acknowledged_at is null
                 and kind <> all($3)",
        server_id,
        order_done,
        &known_kinds()
    )
    .execute(db)
    .await?;
    Ok(())
}

fn known_kinds() -> Vec<String> {
    ServerOrder::KINDS.map(str::to_owned).to_vec()
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

/// Of the battles that a server runs, those that are not its own and that it was not told to end. A
/// finished battle may be shown a little longer.
///
/// # Errors
/// The database failed.
pub async fn not_to_run(
    db: &mut PgConnection,
    server_id: Uuid,
    listed: &[Uuid],
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select t.battle_id as "battle_id!" from unnest($1::uuid[]) as t (battle_id)
           where not exists (select from battle b where b.battle_id = t.battle_id
               and b.server_id = $2 and battle_is_finished(b.state))
           and not exists (select from server_order o where o.server_id = $2 and o.kind = 'end'
               and o.body->>'battle_id' = t.battle_id::text)"#,
        listed,
        server_id
    )
    .fetch_all(db)
    .await
}

/// Drops orders of servers that are gone for so long. What is to be erased waits for them: their
/// disks may come back at any time, with names on them. What becomes of a kind that is not known
/// here is for a newer node to say.
///
/// # Errors
/// The database failed.
pub async fn drop_of_gone(db: impl PgExecutor<'_>, grace_s: f64) -> sqlx::Result<()> {
    let mut dropped = known_kinds();
    dropped.retain(|kind| !OUTLIVES_ITS_SERVER.contains(&kind.as_str()));
    sqlx::query!(
        "delete from server_order o using battle_server s
         where o.server_id = s.server_id and o.acknowledged_at is null
             and o.kind = any($2) and s.state = 'gone'
             and s.gone_at < now() - make_interval(secs => $1)",
        grace_s,
        &dropped
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
    let Row { kind, body } = ServerOrder::Erase { player_id }.row()?;
    sqlx::query!(
        "insert into server_order (server_id, kind, body)
         select distinct b.server_id, $2, $3::jsonb
         from battle_player p join battle b using (battle_id)
         where p.player_id = $1 and b.server_id is not null
         -- Orders lock their server: always in the same order, so that nobody waits in a circle.
         order by b.server_id",
        player_id,
        kind,
        body
    )
    .execute(&mut *db)
    .await?;
    // Of these servers, those that have one of its battles now.
    kick(db, player_id, "erased").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::PgPool;

    use super::*;

    /// Each kind as it is stored, in the order of [`ServerOrder::KINDS`]. A line that changes here
    /// is a row that older nodes cannot read.
    fn stored() -> Vec<(ServerOrder, Value)> {
        let (battle, player) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (mode, map) = ("conquest".to_owned(), "ridge".to_owned());
        let open = OpenBody { battle_id: battle, mode, map, players_max: 64, duration_s: Some(60) };
        let endless = OpenBody { duration_s: None, ..open.clone() };
        let of_battle = "00000000-0000-0000-0000-000000000001";
        let of_player = "00000000-0000-0000-0000-000000000002";
        vec![
            (
                ServerOrder::Open(open),
                json!({ "kind": "open", "body": {
                    "battle_id": of_battle, "mode": "conquest", "map": "ridge",
                    "players_max": 64, "duration_s": 60 } }),
            ),
            (
                ServerOrder::Open(endless),
                json!({ "kind": "open", "body": {
                    "battle_id": of_battle, "mode": "conquest", "map": "ridge",
                    "players_max": 64, "duration_s": null } }),
            ),
            (
                ServerOrder::kick(battle, player, "rude"),
                json!({ "kind": "kick", "body": {
                    "battle_id": of_battle, "player_id": of_player, "reason": "rude" } }),
            ),
            (
                ServerOrder::message(battle, "hello"),
                json!({ "kind": "message", "body": { "battle_id": of_battle, "text": "hello" } }),
            ),
            (
                ServerOrder::end(battle, "maintenance"),
                json!({ "kind": "end", "body": {
                    "battle_id": of_battle, "reason": "maintenance" } }),
            ),
            (
                ServerOrder::Erase { player_id: player },
                json!({ "kind": "erase", "body": { "player_id": of_player } }),
            ),
            (ServerOrder::Drain {}, json!({ "kind": "drain", "body": {} })),
        ]
    }

    fn columns(order: &ServerOrder) -> (String, Value) {
        let Row { kind, body } = order.row().unwrap();
        (kind, body)
    }

    #[test]
    fn each_kind_is_stored_as_it_always_was_and_read_again() {
        let mut kinds = Vec::new();
        for (order, golden) in stored() {
            let (kind, body) = columns(&order);
            assert_eq!(json!({ "kind": kind, "body": body }), golden);
            assert_eq!(ServerOrder::read(kind.clone(), body), order);
            kinds.push(kind);
        }
        kinds.dedup();
        assert_eq!(kinds, ServerOrder::KINDS);
    }

    #[test]
    fn a_body_may_have_a_field_more_or_an_optional_one_less() {
        for (order, golden) in stored() {
            let mut body = golden["body"].clone();
            body["of a newer node"] = json!([1]);
            assert_eq!(ServerOrder::read(columns(&order).0, body), order);
        }
        let player_id = Uuid::from_u128(2);
        let least = ServerOrder::Kick { battle_id: None, player_id, reason: String::new() };
        assert_eq!(ServerOrder::read("kick".to_owned(), json!({ "player_id": player_id })), least);
    }

    #[test]
    fn what_cannot_be_read_survives_as_it_is() {
        let bodies = [json!({ "steps": [1, { "a": null }] }), json!([]), json!("x"), json!({})];
        for kind in ["dance", "open"] {
            for body in bodies.clone() {
                let order = ServerOrder::read(kind.to_owned(), body.clone());
                assert!(matches!(order, ServerOrder::Unknown { .. }), "{order:?}");
                assert_eq!(columns(&order), (kind.to_owned(), body));
            }
        }
    }

    /// Orders that functions of the database write are in SQL: they are the same.
    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn what_the_database_writes_is_read(db: PgPool) {
        let player = sortie_testing::player(&db, "Rude").await;
        let (server, battle) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for sql in [
            "insert into battle_server (server_id, name, address, fingerprint, version,
                 protocol_version, battles_max, players_max, state, lease_until)
             select $1, 'one', 'localhost:1', sha256('x'), '1', 3, 1, 64, 'gone', now()
             where $2 <> $3",
            "insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id)
             select $2, 'walk', 'plain', true, 64, 'running', $1 where $2 <> $3",
            "insert into battle_player (battle_id, player_id, team)
             select $2, $3, 0 where $1 <> $2",
            "select kick_player($3, 'rude') where $1 <> $2",
            "select leave_lost_battles(array[$3]) where $1 <> $2",
            "select forget_name($3, 'erased') where $1 <> $2",
        ] {
            let bound = sqlx::query(sql).bind(server).bind(battle).bind(player);
            bound.execute(&db).await.unwrap();
        }
        let mut connection = db.acquire().await.unwrap();
        erase(&mut connection, player).await.unwrap();
        let rows: Vec<(String, Value)> =
            sqlx::query_as("select kind, body from server_order order by order_id")
                .fetch_all(&db)
                .await
                .unwrap();
        let read: Vec<ServerOrder> =
            rows.into_iter().map(|(kind, body)| ServerOrder::read(kind, body)).collect();
        let kick = ServerOrder::kick(battle, player, "erased");
        let erase = ServerOrder::Erase { player_id: player };
        assert_eq!(read, [kick.clone(), kick.clone(), erase.clone(), erase, kick]);
    }
}
