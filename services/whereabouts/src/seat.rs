//! Seats in battles: a row of `battle_player` is a player's seat as long as `gone_at` is null.
//!
//! It is set when the player gives the seat up, and when the battle's server says that the player
//! left for good. From then on others may be sent, and the player may queue again. Back onto it:
//! [`crate::Claim::sit_again`]. What a result says of a player is written into the seat, too.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Gives a player's seat up; whether it had it still. `None`: the player has none in the battle.
///
/// # Errors
/// The database failed.
pub async fn give_up(
    db: &mut PgConnection,
    battle_id: Uuid,
    player_id: Uuid,
) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(
        r#"update battle_player p set gone_at = coalesce(p.gone_at, now())
         from battle_player old where p.battle_id = $1 and p.player_id = $2
             and old.battle_id = $1 and old.player_id = $2
         returning old.gone_at is null as "left!""#,
        battle_id,
        player_id
    )
    .fetch_optional(db)
    .await
}

/// Notes that a player has asked for the way to its seat.
///
/// # Errors
/// The database failed.
pub async fn asked_for(
    db: &mut PgConnection,
    battle_id: Uuid,
    player_id: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update battle_player set joined_at = $3
         where battle_id = $1 and player_id = $2 and joined_at is null",
        battle_id,
        player_id,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Frees the seats of a queue's battles that run since before `before` whose players never asked
/// for the way to them, and have no ticket that lives longer; gives how many.
///
/// # Errors
/// The database failed.
pub async fn free_no_shows(
    db: &mut PgConnection,
    queue: &str,
    before: OffsetDateTime,
) -> sqlx::Result<u64> {
    let freed = sqlx::query!(
        "update battle_player own set gone_at = now() from battle b
         where b.battle_id = own.battle_id and battle_is_running(b.state) and b.started_at < $2
             and b.battle_id in (select battle_id from queue_battle where queue = $1 and is_open)
             and own.gone_at is null and own.joined_at is null
             and not exists (select from ticket_player p join ticket t using (ticket_id)
                 where p.player_id = own.player_id and t.battle_id = own.battle_id
                     and t.expires_at > $2)",
        queue,
        before
    )
    .execute(db)
    .await?;
    Ok(freed.rows_affected())
}

/// A player who left a battle for good, as its server tells it.
#[derive(Clone, Copy, Debug)]
pub struct Departed {
    /// The battle that was left.
    pub battle_id: Uuid,
    /// The player who left for good.
    pub player_id: Uuid,
    /// When, in the battle's time.
    pub tick: i32,
}

/// Frees the seats of players who left for good. A departure counts once: whoever has taken the
/// seat again since is not thrown out of it by being told of the same one.
///
/// # Errors
/// The database failed.
pub async fn free_departed(db: &mut PgConnection, gone: &[Departed]) -> sqlx::Result<()> {
    sqlx::query!(
        "update battle_player p set gone_at = coalesce(gone_at, now()), gone_tick = t.tick
         from unnest($1::uuid[], $2::uuid[], $3::int4[]) as t (battle_id, player_id, tick)
         where p.battle_id = t.battle_id and p.player_id = t.player_id
             and t.tick > coalesce(p.gone_tick, -1)",
        &gone.iter().map(|departed| departed.battle_id).collect::<Vec<_>>(),
        &gone.iter().map(|departed| departed.player_id).collect::<Vec<_>>(),
        &gone.iter().map(|departed| departed.tick).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a result says of the players of a battle, a column each.
#[derive(Clone, Debug, Default)]
pub struct Reported {
    /// Player id of each.
    pub players: Vec<Uuid>,
    /// Which team each was in.
    pub teams: Vec<i16>,
    /// When each came in.
    pub joined_at: Vec<OffsetDateTime>,
    /// When each left, who did.
    pub left_at_tick: Vec<Option<i32>>,
    /// Points, kills, deaths, assists, revives, captures, shots and hits.
    pub counts: [Vec<i32>; 8],
    /// How long each was there.
    pub ticks_played: Vec<i32>,
}

/// Writes what a result says of the players of a battle that is over: it holds nobody.
///
/// # Errors
/// The database failed.
pub async fn report(
    db: &mut PgConnection,
    battle_id: Uuid,
    reported: &Reported,
) -> sqlx::Result<()> {
    let [points, kills, deaths, assists, revives, captures, shots, hits] = &reported.counts;
    sqlx::query!(
        "insert into battle_player (battle_id, player_id, team, came_by, joined_at, left_at_tick,
            points, kills, deaths, assists, revives, captures, shots, hits, ticks_played)
        select $1, player_id, team, 'report', joined_at, left_at_tick,
            points, kills, deaths, assists, revives, captures, shots, hits, ticks_played
        from unnest($2::uuid[], $3::int2[], $4::timestamptz[], $5::int4[], $6::int4[], $7::int4[],
            $8::int4[], $9::int4[], $10::int4[], $11::int4[], $12::int4[], $13::int4[],
            $14::int4[])
            as reported (player_id, team, joined_at, left_at_tick, points, kills, deaths, assists,
                revives, captures, shots, hits, ticks_played)
        order by player_id
        on conflict (battle_id, player_id) do update set
            team = excluded.team,
            joined_at = coalesce(battle_player.joined_at, excluded.joined_at),
            left_at_tick = excluded.left_at_tick, points = excluded.points,
            kills = excluded.kills, deaths = excluded.deaths, assists = excluded.assists,
            revives = excluded.revives, captures = excluded.captures, shots = excluded.shots,
            hits = excluded.hits, ticks_played = excluded.ticks_played",
        battle_id,
        &reported.players,
        &reported.teams,
        &reported.joined_at,
        &reported.left_at_tick as &[Option<i32>],
        points,
        kills,
        deaths,
        assists,
        revives,
        captures,
        shots,
        hits,
        &reported.ticks_played,
    )
    .execute(db)
    .await?;
    Ok(())
}
