//! The life of a battle: *asked* (no server yet), *allocated* (a server was ordered to open it),
//! *running*, then *finished* or *lost*; or *cancelled* before it began.

use serde_json::Value;
use sortie_control::vocabulary::EndedBy;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::order::{OpenBody, ServerOrder};
use crate::state::{self, BattleState};

/// What is played in a battle.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// `conquest`, `deathmatch` or `walk`.
    pub mode: &'a str,
    /// A map that battle servers have.
    pub map: &'a str,
    /// Whether it counts.
    pub is_ranked: bool,
    /// Players who may be in it at a time.
    pub players_max: u32,
    /// `None`: until the round is over.
    pub duration_s: Option<u32>,
}

/// Asks for battles with these ids; in a transaction with their players.
///
/// # Errors
/// The database failed.
pub async fn ask(
    db: &mut PgConnection,
    battles: &[Uuid],
    terms: Terms<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into battle (battle_id, mode, map, is_ranked, players_max, duration_s, asked_at)
         select b, $2, $3, $4, $5, $6, $7 from unnest($1::uuid[]) as b",
        battles,
        terms.mode,
        terms.map,
        terms.is_ranked,
        terms.players_max as i32,
        terms.duration_s.map(|duration_s| duration_s as i32),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives a battle that was asked for to a server that is ready, and orders that to open it, if both
/// still may; false: somebody else was faster, and the transaction is to be rolled back.
///
/// # Errors
/// The database failed.
pub async fn place(db: &mut PgConnection, battle_id: Uuid, server_id: Uuid) -> sqlx::Result<bool> {
    let battle = sqlx::query_as!(
        OpenBody,
        "select battle_id, mode, map, players_max, duration_s from battle
         where battle_id = $1 and state = 'asked' for update skip locked",
        battle_id
    )
    .fetch_optional(&mut *db)
    .await?;
    let server = sqlx::query!(
        "select epoch from battle_server
         where server_id = $1 and state = 'ready' and lease_until > now()
         for no key update skip locked",
        server_id
    )
    .fetch_optional(&mut *db)
    .await?;
    let (Some(battle), Some(server)) = (battle, server) else { return Ok(false) };
    // A statement of its own: it sees what was committed before the server was locked, which the
    // one that locked it need not.
    let placed = sqlx::query!(
        "update battle set state = 'allocated', server_id = $2, server_epoch = $3,
             allocated_at = now(), given_at = coalesce(given_at, now()), status = '{}'
         where battle_id = $1
             and (select count(*) from battle where server_id = $2
                 and state in ('allocated', 'running'))
             < (select battles_max from battle_server where server_id = $2)",
        battle_id,
        server_id,
        server.epoch
    )
    .execute(&mut *db)
    .await?;
    if placed.rows_affected() == 0 {
        return Ok(false);
    }
    ServerOrder::Open(battle).write(db, server_id).await?;
    Ok(true)
}

/// Battles that wait for longer than `after_s` stay asked, and say what for; so many at most.
///
/// # Errors
/// The database failed.
pub async fn say_why(db: impl PgExecutor<'_>, after_s: f64, most: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "update battle b set status = b.status || jsonb_build_object('waiting', news.why)
         from (
             select a.battle_id, told.why from battle a cross join lateral (
                 select case when ready.most is null then $2::text
                     when ready.most < a.players_max then $3::text else $4::text end as why
                 from (select max(players_max) as most from battle_server
                     where state = 'ready' and lease_until > now()) as ready
             ) as told
             where a.state = 'asked' and a.asked_at < now() - make_interval(secs => $1)
                 and a.status->>'waiting' is distinct from told.why
             order by a.asked_at limit $5 for update of a skip locked
         ) as news
         where b.battle_id = news.battle_id",
        after_s,
        "no battle server is there",
        "no battle server takes so many players",
        "no battle server has room for it",
        most
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Cancels battles that nobody took within `after_s`, so many at most; gives how many. Who asks
/// for them hears why.
///
/// # Errors
/// The database failed.
pub async fn give_up(db: impl PgExecutor<'_>, after_s: f64, most: i64) -> sqlx::Result<u64> {
    let given_up = sqlx::query!(
        "update battle set state = 'cancelled', ended_at = now(),
             status = status || jsonb_build_object('waiting',
                 'it was given up: ' || coalesce(status->>'waiting', $3::text))
         where battle_id in (
             select battle_id from battle
             where state = 'asked' and asked_at < now() - make_interval(secs => $1)
             order by asked_at limit $2 for update skip locked)",
        after_s,
        most,
        "no battle server took it"
    )
    .execute(db)
    .await?;
    Ok(given_up.rows_affected())
}

/// A battle as whoever wants to end it finds it.
#[derive(Clone, Debug)]
pub struct Held {
    /// State of the battle, as the column `state` has it.
    pub state: String,
    /// Its server, if it has one.
    pub server_id: Option<Uuid>,
}

impl Held {
    /// Whether it is not over.
    pub fn is_live(&self) -> bool {
        state::is_live(&self.state)
    }
}

/// Holds a battle as it is until the transaction ends; `None`: there is no such battle.
///
/// # Errors
/// The database failed.
pub async fn hold(db: &mut PgConnection, battle_id: Uuid) -> sqlx::Result<Option<Held>> {
    sqlx::query_as!(
        Held,
        "select state, server_id from battle where battle_id = $1 for no key update",
        battle_id
    )
    .fetch_optional(db)
    .await
}

/// Ends a battle that is held and not over: its server is told, and one that no server has yet is
/// cancelled.
///
/// # Errors
/// The database failed.
pub async fn end(
    db: &mut PgConnection,
    battle_id: Uuid,
    held: &Held,
    reason: &str,
) -> sqlx::Result<()> {
    match held.server_id {
        Some(server_id) if !BattleState::Asked.is(&held.state) => {
            ServerOrder::end(battle_id, reason).write(db, server_id).await
        }
        _ => {
            sqlx::query!(
                "update battle set state = 'cancelled', ended_at = now(), ended_by = $2
                 where battle_id = $1",
                battle_id,
                EndedBy::Operator.name()
            )
            .execute(db)
            .await?;
            Ok(())
        }
    }
}

/// Cancels all battles that no server has begun, and the orders to open them; gives how many. For
/// a database that nobody else uses: all players and servers are gone.
///
/// # Errors
/// The database failed.
pub async fn cancel_unbegun(db: &mut PgConnection, why: &str) -> sqlx::Result<usize> {
    let cancelled = sqlx::query_scalar!(
        "update battle set state = 'cancelled', ended_at = now(),
             status = status || jsonb_build_object('waiting', $1::text)
         where state in ('asked', 'allocated') returning battle_id",
        why
    )
    .fetch_all(&mut *db)
    .await?;
    sqlx::query!(
        "delete from server_order where kind = 'open' and acknowledged_at is null
             and (body->>'battle_id')::uuid = any($1)",
        &cancelled
    )
    .execute(db)
    .await?;
    Ok(cancelled.len())
}

/// A server that registers has these battles: gives those that are its own, unless they are over
/// or were given to another since. A battle that was given up as lost is not over: its server still
/// has it, and its players may be in it.
///
/// # Errors
/// The database failed.
pub async fn adopt(
    db: &mut PgConnection,
    server_id: Uuid,
    epoch: i64,
    listed: &[Uuid],
    identity_since: i64,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
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
        listed,
        identity_since
    )
    .fetch_all(db)
    .await
}

/// Battles that a server was given and does not have: those whose order still waits are opened
/// under the new epoch. Gives which.
///
/// # Errors
/// The database failed.
pub async fn keep_ordered(
    db: &mut PgConnection,
    server_id: Uuid,
    epoch: i64,
    adopted: &[Uuid],
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update battle b set server_epoch = $2, allocated_at = now()
         where server_id = $1 and state = 'allocated' and battle_id <> all($3)
             and exists (select from server_order o where o.server_id = $1 and o.kind = 'open'
                 and o.acknowledged_at is null and (o.body->>'battle_id')::uuid = b.battle_id)
         returning battle_id",
        server_id,
        epoch,
        adopted
    )
    .fetch_all(db)
    .await
}

/// Why a battle goes back.
#[derive(Clone, Copy, Debug)]
pub struct Requeue<'a> {
    /// For the battle's status.
    pub why: &'a str,
    /// Whether it may have been the battle's own fault: after so many tries it is cancelled.
    /// `None`: it was not.
    pub tries_max: Option<i32>,
}

/// Puts those of `battles` that `server_id` was given and has not begun back to be placed, and
/// takes back the orders to open them; gives how many. Should the server begin one all the same,
/// its next heartbeat brings it the order to end it.
///
/// # Errors
/// The database failed.
pub async fn requeue(
    db: &mut PgConnection,
    server_id: Uuid,
    battles: &[Uuid],
    how: &Requeue<'_>,
) -> sqlx::Result<u64> {
    let moved = sqlx::query_scalar!(
        "update battle set
             state = case when tries + 1 >= $4 then 'cancelled' else 'asked' end,
             ended_at = case when tries + 1 >= $4 then now() end,
             tries = tries + case when $4::integer is null then 0 else 1 end,
             server_id = null, server_epoch = null, allocated_at = null, told_at = null,
             status = jsonb_build_object('waiting', $3::text, 'not_on', $1::uuid)
         where battle_id = any($2) and server_id = $1 and state = 'allocated'
         returning battle_id",
        server_id,
        battles,
        how.why,
        how.tries_max
    )
    .fetch_all(&mut *db)
    .await?;
    sqlx::query!(
        "delete from server_order
         where server_id = $1 and kind = 'open' and acknowledged_at is null
             and (body->>'battle_id')::uuid = any($2)",
        server_id,
        &moved
    )
    .execute(db)
    .await?;
    Ok(moved.len() as u64)
}

/// A server tells how battles stand; the first status makes a battle running. Gives those that are
/// its own.
///
/// # Errors
/// The database failed.
pub async fn told(
    db: &mut PgConnection,
    server_id: Uuid,
    epoch: i64,
    battles: &[Uuid],
    statuses: &[Value],
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"update battle b set status = t.status, told_at = now(), server_epoch = $4,
               state = 'running', started_at = coalesce(b.started_at, now())
           from unnest($1::uuid[], $2::jsonb[]) as t (battle_id, status)
           where b.battle_id = t.battle_id and b.server_id = $3
               and b.state in ('allocated', 'running')
           returning b.battle_id"#,
        battles,
        statuses,
        server_id,
        epoch
    )
    .fetch_all(db)
    .await
}

/// Gives up running battles whose server is gone for too long, or lives and has not told of them
/// for as long: it came back without them. Gives how many.
///
/// # Errors
/// The database failed.
pub async fn lose(db: impl PgExecutor<'_>, grace_s: f64) -> sqlx::Result<u64> {
    let lost = sqlx::query!(
        "update battle set state = 'lost', ended_at = now() where battle_id in (
             select b.battle_id from battle b join battle_server s using (server_id)
             where b.state = 'running' and (
                 (s.state = 'gone' and s.gone_at < now() - make_interval(secs => $1))
                 or (s.state <> 'gone' and s.lease_until > now()
                     and s.registered_at < now() - make_interval(secs => $1)
                     and b.told_at < now() - make_interval(secs => $1)))
             for update of b skip locked)",
        grace_s
    )
    .execute(db)
    .await?;
    Ok(lost.rows_affected())
}

/// How a battle went.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was over.
    pub ended_at: OffsetDateTime,
    /// 0 or 1; `None`: a draw, or nobody who is believed.
    pub winner: Option<i16>,
    /// What ended it.
    pub ended_by: &'a EndedBy,
    /// How long it was.
    pub ticks: i32,
    /// Of the world at its end.
    pub state_hash: &'a str,
}

/// A battle is over: its result has come.
///
/// # Errors
/// The database failed.
pub async fn finish(
    db: &mut PgConnection,
    battle_id: Uuid,
    finish: &Finish<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update battle set state = 'finished', started_at = $2, ended_at = $3, winner = $4,
            ended_by = $5, ticks = $6, state_hash = $7
        where battle_id = $1",
        battle_id,
        finish.started_at,
        finish.ended_at,
        finish.winner,
        finish.ended_by.name(),
        finish.ticks,
        finish.state_hash,
    )
    .execute(db)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sortie_control::vocabulary::GameMode;
    use sqlx::PgPool;

    /// No mode needs a migration: the database bounds what a name looks like.
    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_battle_may_be_of_every_mode_also_of_a_newer_nodes(db: PgPool) {
        let of_mode = async |mode: &str| {
            let sql = "insert into battle (battle_id, mode, map, is_ranked, players_max)
                values (gen_random_uuid(), $1, 'ridge', false, 8)";
            sqlx::query(sql).bind(mode).execute(&db).await
        };
        for mode in GameMode::names().chain(["siege", "capture_the_flag2"]) {
            of_mode(mode).await.unwrap();
        }
        for shape in ["", "Siege", "2d", "capture the flag", &"a".repeat(33)] {
            let refused = of_mode(shape).await.unwrap_err();
            let constraint = refused.as_database_error().and_then(|error| error.constraint());
            assert_eq!(constraint, Some("battle_mode"), "{shape:?}");
        }
    }
}
