//! Running battles with room come first: those who wait fill them before new matches are made.
//!
//! A battle is filled while it is young enough (a share of its duration) and a team has seats:
//! those of players who left for good are free, and so are their places at the server. A
//! ticket, oldest first, goes to the battle nearest in rating within its window, into the team
//! with fewer players, or of equal ones the one that brings the chance to win closer to one half.
//! No ready check: nobody else waits for those who come, and whoever does not come leaves the
//! battle as it was.

use sortie_whereabouts::seat;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::store::{self, Seats};
use crate::error::MatchmakingError;
use crate::rating::{Strength, win_chance};
use crate::settings::{Queue, Settings};

/// Battles of a queue that are looked at in a pass; the newest, which have most to gain.
const BATTLES_MAX: i64 = 128;

/// A battle with room.
#[derive(Clone, Copy, Debug)]
struct Open {
    battle_id: Uuid,
    /// Those who have not left for good.
    teams: [Strength; 2],
    /// Players who may still come: who has left takes no place at the server.
    slots: u32,
}

/// Fills what can be filled; gives how many tickets got a place.
pub(super) async fn fill(
    db: &mut PgConnection,
    settings: &Settings,
    queue: &Queue,
    now: OffsetDateTime,
) -> Result<usize, MatchmakingError> {
    free_no_shows(&mut *db, settings, queue, now).await?;
    let mut battles = open_battles(&mut *db, queue, now).await?;
    if battles.is_empty() {
        return Ok(0);
    }
    let waiting = store::waiting(&mut *db, settings, queue, now).await?;
    let mut seats = Seats::default();
    for ticket in &waiting {
        let width = queue.window.half_width(ticket.waited_s);
        let Some((at, team)) = place(queue, &battles, ticket.strength, width) else { continue };
        let battle = &mut battles[at];
        battle.teams[team] = battle.teams[team].with(ticket.strength);
        battle.slots -= ticket.strength.players;
        seats.tickets.push(ticket.ticket_id);
        seats.places.push(battle.battle_id);
        seats.teams.push(team as i16);
        battles.retain(|battle| room(queue, battle) > 0);
        if battles.is_empty() {
            break;
        }
    }
    if seats.tickets.is_empty() {
        return Ok(0);
    }
    let taken = store::take(&mut *db, &seats.tickets, now).await?;
    let mut kept = Seats::default();
    for (at, &ticket_id) in seats.tickets.iter().enumerate() {
        if taken.contains(&ticket_id) {
            kept.tickets.push(ticket_id);
            kept.places.push(seats.places[at]);
            kept.teams.push(seats.teams[at]);
        }
    }
    store::seat(db, &kept, "backfill").await?;
    metrics::counter!("sortie_matchmaking_backfilled_total", "queue" => queue.name.clone())
        .increment(kept.tickets.len() as u64);
    Ok(kept.tickets.len())
}

/// Who was given a seat and never asked for the way to it, though the battle runs and its ticket
/// has been over for a while, does not come: the team must not play a man short for it. Coming
/// late, it may have the seat if it is still free.
async fn free_no_shows(
    db: &mut PgConnection,
    settings: &Settings,
    queue: &Queue,
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    let freed = seat::free_no_shows(db, &queue.name, now - settings.pace.no_show).await?;
    metrics::counter!("sortie_matchmaking_no_shows_total", "queue" => queue.name.clone())
        .increment(freed);
    Ok(())
}

/// Locked until the transaction ends, so that no other node fills them at the same time. Where the
/// server is gone, nobody could come.
async fn open_battles(
    db: &mut PgConnection,
    queue: &Queue,
    now: OffsetDateTime,
) -> Result<Vec<Open>, MatchmakingError> {
    if queue.backfill_share <= 0.0 {
        return Ok(Vec::new());
    }
    let oldest = now - Duration::seconds_f64(queue.backfill_s());
    let ids = sqlx::query_scalar!(
        "select battle_id from queue_battle join battle using (battle_id)
         where queue = $1 and is_open and battle_is_live(state)
           and coalesce(started_at, asked_at) > $2
           and not exists (select from battle_server s
               where s.server_id = battle.server_id and server_is_gone(s.state))
         order by made_at desc limit $3
         for update of queue_battle skip locked",
        queue.name,
        oldest,
        BATTLES_MAX
    )
    .fetch_all(&mut *db)
    .await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // What they were worth when they queued; players whose ticket is gone count as newcomers.
    let rows = sqlx::query!(
        r#"select b.battle_id, b.team,
            count(*) filter (where gone_at is null) as "players!",
            coalesce(sum(coalesce(t.rating, 25)::float8)
                filter (where gone_at is null), 0) as "sum!",
            coalesce(sum(coalesce(t.deviation, 8.333)::float8 ^ 2)
                filter (where gone_at is null), 0) as "variance!"
         from battle_player b
         left join lateral (
            select p.rating, p.deviation from ticket_player p join ticket using (ticket_id)
            where p.player_id = b.player_id and ticket.battle_id = b.battle_id limit 1
         ) t on true
         where b.battle_id = any($1) group by b.battle_id, b.team"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let mut battles: Vec<Open> = ids
        .into_iter()
        .map(|battle_id| Open {
            battle_id,
            teams: [Strength::default(); 2],
            slots: queue.players_max,
        })
        .collect();
    for row in rows {
        if let Some(battle) = battles.iter_mut().find(|battle| battle.battle_id == row.battle_id) {
            battle.teams[usize::from(row.team == 1)] =
                Strength { players: row.players as u32, sum: row.sum, variance: row.variance };
            battle.slots = battle.slots.saturating_sub(row.players as u32);
        }
    }
    battles.retain(|battle| room(queue, battle) > 0);
    Ok(battles)
}

/// Seats that are left.
fn room(queue: &Queue, battle: &Open) -> u32 {
    let free = |team: &Strength| queue.team_max.saturating_sub(team.players);
    battle.teams.iter().map(free).sum::<u32>().min(battle.slots)
}

/// The battle and team that suit a ticket best.
fn place(queue: &Queue, battles: &[Open], ticket: Strength, width: f64) -> Option<(usize, usize)> {
    let apart = |battle: &Open| {
        let [zero, one] = battle.teams;
        (zero.with(one).mean() - ticket.mean()).abs()
    };
    battles
        .iter()
        .enumerate()
        .filter(|(_, battle)| apart(battle) <= width)
        .filter_map(|(at, battle)| Some((at, team_for(queue, battle, ticket)?, apart(battle))))
        .min_by(|a, b| a.2.total_cmp(&b.2))
        .map(|(at, team, _)| (at, team))
}

/// The team that a ticket may join: sizes get closer, or stay as close as they may be.
fn team_for(queue: &Queue, battle: &Open, ticket: Strength) -> Option<usize> {
    let after = |team: usize| {
        let mut teams = battle.teams;
        teams[team] = teams[team].with(ticket);
        teams
    };
    let apart = |teams: [Strength; 2]| teams[0].players.abs_diff(teams[1].players);
    // One more than the other is the least that a single player can do to equal teams.
    let allowed = queue.team_difference_max.max(1).max(apart(battle.teams));
    let unfair = |team: usize| (win_chance(after(team)) - 0.5).abs();
    if ticket.players > battle.slots {
        return None;
    }
    (0..2)
        .filter(|&team| battle.teams[team].players + ticket.players <= queue.team_max)
        .filter(|&team| apart(after(team)) <= allowed)
        .min_by(|&a, &b| {
            let by_size = apart(after(a)).cmp(&apart(after(b)));
            by_size.then(unfair(a).total_cmp(&unfair(b)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(zero: (u32, f64), one: (u32, f64)) -> Open {
        let strength = |(players, rating)| Strength::of(players, rating, 5.0);
        Open { battle_id: Uuid::nil(), teams: [strength(zero), strength(one)], slots: 16 }
    }

    #[test]
    fn the_smaller_team_is_filled_and_of_equal_ones_the_weaker() {
        let queue = Queue { team_max: 8, ..Queue::shipped().remove(0) };
        let newcomer = Strength::of(1, 25.0, 8.0);
        let team = |battle: &Open, ticket| team_for(&queue, battle, ticket);
        assert_eq!(team(&open((4, 25.0), (3, 40.0)), newcomer), Some(1));
        assert_eq!(team(&open((4, 20.0), (4, 30.0)), newcomer), Some(0));
        assert_eq!(team(&open((8, 20.0), (8, 30.0)), newcomer), None);
        let party = Strength::of(3, 25.0, 8.0);
        assert_eq!(team(&open((4, 25.0), (4, 25.0)), party), None, "would be 7 against 4");
        assert_eq!(team(&open((4, 25.0), (1, 25.0)), party), Some(1));
        let full = Open { slots: 2, ..open((4, 25.0), (1, 25.0)) };
        assert_eq!(team(&full, party), None, "the server has two slots left");
        assert_eq!((room(&queue, &full), team(&full, newcomer)), (2, Some(1)));
    }

    #[test]
    fn the_nearest_battle_within_the_window_is_chosen() {
        let queue = Queue { team_max: 8, ..Queue::shipped().remove(0) };
        let battles = [open((4, 40.0), (3, 40.0)), open((4, 27.0), (3, 27.0))];
        let newcomer = Strength::of(1, 25.0, 8.0);
        assert_eq!(place(&queue, &battles, newcomer, 4.0), Some((1, 1)));
        assert_eq!(place(&queue, &battles, newcomer, 1.0), None);
    }
}
