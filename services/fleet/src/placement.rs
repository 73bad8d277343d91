//! The job `placement`: battles that were asked for are given to servers.
//!
//! **Rules.** A server has never more than `battles_max` battles allocated or running, and a
//! battle has one server, however many nodes place at once. A plan is made from what was read;
//! each pair of it is then checked in a transaction that has locked battle and server, so that a
//! plan that was overtaken costs a look and nothing else. Nobody waits for a lock.
//!
//! Older battles come before newer ones, and those that queues made before those that players
//! arranged, up to a point: one that was arranged comes after those of queues that were asked for
//! up to `arranged_behind` later, and not after every newer one, or it would wait for ever where
//! queues use up all servers. That holds while arranged battles have less than a quarter of all
//! places, one at least; beyond it they get what queues leave, so that nobody can take the servers
//! from the queues by arranging battles. One that no server is large enough for is not planned for,
//! so that it is in nobody's way, and one that waits for too long is cancelled.

use std::time::Duration;

use sortie_battles::battle;
use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;
use sqlx::PgPool;
use uuid::Uuid;

use crate::settings::Settings;

/// Most battles that one look plans for, of those of queues and of the others each.
const BATCH: i64 = 64;

/// Of so many places, battles that players arranged may have one before those of queues.
const PLACES_PER_ARRANGED: i64 = 4;

/// Most battles that one look tells or gives up.
const ROUND_MAX: i64 = 1_000;

/// Places battles until the stop is asked for.
pub(crate) async fn run(db: PgPool, settings: Settings, stop: Stop) {
    let (period, failing) = (settings.placement_every, "battles are not placed");
    let mut rounds = Rounds::new("placement", period, failing, stop).later();
    while rounds.next().await {
        rounds.ended(place_all(&db, &settings).await.map(drop));
    }
}

/// A battle without a server.
#[derive(Clone, Debug)]
struct Asked {
    battle_id: Uuid,
    players_max: i32,
    /// The server that gave it back, if one did.
    not_on: Option<Uuid>,
    /// Made by a queue; else players arranged it.
    is_matched: bool,
    waited_s: f64,
}

/// A server with room.
#[derive(Clone, Debug)]
struct Room {
    server_id: Uuid,
    players_max: i32,
    battles: i64,
    battles_max: i64,
    players: i64,
}

/// One look; says how many battles were placed.
pub(crate) async fn place_all(db: &PgPool, settings: &Settings) -> sqlx::Result<u64> {
    let waiting = sqlx::query_scalar!(
        r#"select count(*) as "waiting!" from battle where battle_is_asked(state)"#
    )
    .fetch_one(db)
    .await?;
    metrics::gauge!("sortie_battles_asked").set(waiting as f64);
    if waiting == 0 {
        return Ok(0);
    }
    let arranged_first = arranged_first(db).await?;
    let asked = in_turn(asked(db).await?, arranged_first, settings.arranged_behind);
    let pairs = plan(&asked, rooms(db).await?);
    let mut placed = 0;
    for (battle_id, server_id) in pairs {
        placed += u64::from(place(db, battle_id, server_id).await?);
    }
    metrics::counter!("sortie_battles_placed_total").increment(placed);
    if (placed as i64) < waiting {
        battle::say_why(db, settings.waiting_after.as_secs_f64(), ROUND_MAX).await?;
        give_up(db, settings).await?;
    }
    Ok(placed)
}

async fn asked(db: &PgPool) -> sqlx::Result<Vec<Asked>> {
    sqlx::query_as!(
        Asked,
        r#"select battle_id, players_max, not_on, is_matched as "is_matched!",
               extract(epoch from now() - asked_at)::float8 as "waited_s!"
           from (
               select *, row_number() over (partition by is_matched order by asked_at) as place
               from (
                   select battle_id, players_max, asked_at, (status->>'not_on')::uuid as not_on,
                       exists (select from queue_battle q where q.battle_id = b.battle_id)
                           as is_matched
                   from battle b where battle_is_asked(state) and exists (
                       select from battle_server s where server_is_ready(s.state)
                           and s.lease_until > now() and s.players_max >= b.players_max)
               ) as waiting
           ) as placed
           where place <= $1"#,
        BATCH
    )
    .fetch_all(db)
    .await
}

/// How many battles that players arranged may come before those of queues.
async fn arranged_first(db: &PgPool) -> sqlx::Result<usize> {
    let row = sqlx::query!(
        r#"select
               (select coalesce(sum(battles_max), 0) from battle_server
                where server_is_ready(state) and lease_until > now()) as "places!",
               (select count(*) from battle b where battle_is_on_server(state)
                    and not exists (select from queue_battle q where q.battle_id = b.battle_id)
               ) as "arranged!""#
    )
    .fetch_one(db)
    .await?;
    let share = (row.places / PLACES_PER_ARRANGED).max(1);
    Ok(usize::try_from(share - row.arranged).unwrap_or(0))
}

/// The order in which battles get servers.
fn in_turn(mut asked: Vec<Asked>, arranged_first: usize, behind: Duration) -> Vec<Asked> {
    asked.sort_by(|a, b| b.waited_s.total_cmp(&a.waited_s));
    let mut arranged = 0;
    let mut turns: Vec<(f64, Asked)> = Vec::with_capacity(asked.len());
    for battle in asked {
        let handicap_s = if battle.is_matched {
            0.0
        } else if arranged < arranged_first {
            arranged += 1;
            behind.as_secs_f64()
        } else {
            f64::INFINITY
        };
        turns.push((battle.waited_s - handicap_s, battle));
    }
    turns.sort_by(|a, b| b.0.total_cmp(&a.0));
    turns.into_iter().map(|(_, battle)| battle).collect()
}

async fn rooms(db: &PgPool) -> sqlx::Result<Vec<Room>> {
    sqlx::query_as!(
        Room,
        r#"select * from (
               select server_id, players_max, battles_max::bigint as "battles_max!",
                   coalesce((load->>'players')::bigint, 0) as "players!",
                   (select count(*) from battle b where b.server_id = s.server_id
                       and battle_is_on_server(b.state)) as "battles!"
               from battle_server s where server_is_ready(state) and lease_until > now()
           ) as room where "battles!" < "battles_max!""#
    )
    .fetch_all(db)
    .await
}

/// The oldest battle first; each to the server that is least full, and not to the one that gave
/// it back unless there is no other.
fn plan(asked: &[Asked], mut rooms: Vec<Room>) -> Vec<(Uuid, Uuid)> {
    let mut pairs = Vec::new();
    for battle in asked {
        let fits = |room: &&mut Room| {
            room.battles < room.battles_max && room.players_max >= battle.players_max
        };
        // Shares of servers of different sizes, compared without division.
        let room = rooms.iter_mut().filter(fits).min_by(|a, b| {
            let again = |room: &Room| battle.not_on == Some(room.server_id);
            (again(a).cmp(&again(b)))
                .then((a.battles * b.battles_max).cmp(&(b.battles * a.battles_max)))
                .then(a.players.cmp(&b.players))
                .then(a.server_id.cmp(&b.server_id))
        });
        if let Some(room) = room {
            room.battles += 1;
            pairs.push((battle.battle_id, room.server_id));
        }
    }
    pairs
}

/// Gives a battle to a server, if it still may; false: somebody else was faster.
async fn place(db: &PgPool, battle_id: Uuid, server_id: Uuid) -> sqlx::Result<bool> {
    let mut tx = db.begin().await?;
    if !battle::place(&mut tx, battle_id, server_id).await? {
        return Ok(false);
    }
    tx.commit().await?;
    tracing::debug!(%battle_id, %server_id, "a battle has a server");
    Ok(true)
}

/// Battles that nobody took in time are cancelled: their players have long gone elsewhere, and
/// hear why when they ask.
async fn give_up(db: &PgPool, settings: &Settings) -> sqlx::Result<()> {
    let given_up = battle::give_up(db, settings.give_up_after.as_secs_f64(), ROUND_MAX).await?;
    if given_up > 0 {
        metrics::counter!("sortie_battles_given_up_total").increment(given_up);
        tracing::warn!(given_up, "battles are given up: no battle server took them in time");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(id: u128, players_max: i32, not_on: Option<u128>) -> Asked {
        let not_on = not_on.map(Uuid::from_u128);
        let battle_id = Uuid::from_u128(id);
        Asked { battle_id, players_max, not_on, is_matched: true, waited_s: 0.0 }
    }

    fn waits(id: u128, is_matched: bool, waited_s: f64) -> Asked {
        Asked { is_matched, waited_s, ..asked(id, 64, None) }
    }

    fn room(id: u128, battles: i64, battles_max: i64) -> Room {
        let server_id = Uuid::from_u128(id);
        Room { server_id, players_max: 64, battles, battles_max, players: 0 }
    }

    fn pairs(asked: &[Asked], rooms: Vec<Room>) -> Vec<(u128, u128)> {
        plan(asked, rooms)
            .into_iter()
            .map(|(battle, server)| (battle.as_u128(), server.as_u128()))
            .collect()
    }

    #[test]
    fn the_least_full_server_is_taken() {
        let battles = [asked(1, 64, None), asked(2, 64, None), asked(3, 64, None)];
        let rooms = vec![room(7, 1, 2), room(8, 1, 4)];
        assert_eq!(pairs(&battles, rooms), [(1, 8), (2, 7), (3, 8)]);
    }

    #[test]
    fn arranged_battles_come_a_little_later_and_not_after_all_others() {
        let turns = |arranged_first| {
            let asked = vec![
                waits(1, false, 90.0),
                waits(2, false, 80.0),
                waits(3, true, 70.0),
                waits(4, true, 55.0),
                waits(5, true, 10.0),
            ];
            let turns = in_turn(asked, arranged_first, Duration::from_secs(30));
            turns.into_iter().map(|battle| battle.battle_id.as_u128()).collect::<Vec<_>>()
        };
        assert_eq!(turns(2), [3, 1, 4, 2, 5]);
        // They hold their share: queues come first.
        assert_eq!(turns(1), [3, 1, 4, 5, 2]);
        assert_eq!(turns(0), [3, 4, 5, 1, 2]);
    }

    #[test]
    fn a_battle_that_fits_nowhere_holds_up_nobody() {
        let battles = [asked(1, 65, None), asked(2, 64, None)];
        assert_eq!(pairs(&battles, vec![room(7, 0, 1)]), [(2, 7)]);
    }

    #[test]
    fn the_server_that_gave_it_back_is_the_last_choice() {
        let battle = [asked(1, 1, Some(7))];
        assert_eq!(pairs(&battle, vec![room(7, 0, 4), room(8, 3, 4)]), [(1, 8)]);
        assert_eq!(pairs(&battle, vec![room(7, 0, 4)]), [(1, 7)]);
    }
}
