//! The matcher's tables: reads who waits, takes the tickets of matches, writes what comes of them.

use std::collections::HashSet;

use sortie_battles::battle::{self, Terms};
use sortie_whereabouts::queue;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Pass;
use super::plan::{Match, Waiting};
use crate::error::MatchmakingError;
use crate::rating::Strength;
use crate::settings::{Queue, Settings};

/// False: another node works on the queue. The lock ends with the transaction.
pub(super) async fn lock_queue(
    db: &mut PgConnection,
    queue: &Queue,
) -> Result<bool, MatchmakingError> {
    let is_ours = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended('sortie queue ' || $1, 0))
            as "is_ours!""#,
        queue.name
    )
    .fetch_one(db)
    .await?;
    Ok(is_ours)
}

/// Who waits, oldest first. Nothing is locked: matches take their tickets when they are made.
pub(super) async fn waiting(
    db: &mut PgConnection,
    settings: &Settings,
    queue: &Queue,
    now: OffsetDateTime,
) -> Result<Vec<Waiting>, MatchmakingError> {
    let rows = sqlx::query!(
        "select ticket_id, created_at, rating, deviation, size from ticket
         where queue = $1 and state = 'waiting' and expires_at > $2
         order by created_at limit $3",
        queue.name,
        now,
        i64::from(settings.pace.tickets_max)
    )
    .fetch_all(db)
    .await?;
    let waiting = rows.into_iter().map(|row| Waiting {
        ticket_id: row.ticket_id,
        waited_s: (now - row.created_at).as_seconds_f64(),
        strength: Strength::of(row.size as u32, f64::from(row.rating), f64::from(row.deviation)),
    });
    Ok(waiting.collect())
}

/// Who sits where: one ticket a row.
#[derive(Debug, Default)]
pub(super) struct Seats {
    /// Ticket.
    pub tickets: Vec<Uuid>,
    /// Its match or battle.
    pub places: Vec<Uuid>,
    /// 0 or 1.
    pub teams: Vec<i16>,
}

/// Takes the tickets of `planned` and makes what can still be made: a ticket that was cancelled
/// or taken since costs its match, and nothing else.
pub(super) async fn make(
    db: &mut PgConnection,
    queue: &Queue,
    waiting: &[Waiting],
    planned: &[Match],
    now: OffsetDateTime,
    done: &mut Pass,
) -> Result<(), MatchmakingError> {
    if planned.is_empty() {
        return Ok(());
    }
    let wanted: Vec<Uuid> = planned
        .iter()
        .flat_map(|found| found.teams.iter().flatten())
        .map(|&at| waiting[at].ticket_id)
        .collect();
    let taken = take(&mut *db, &wanted, now).await?;
    let whole = planned.iter().filter(|found| {
        found.teams.iter().flatten().all(|&at| taken.contains(&waiting[at].ticket_id))
    });
    let (mut seats, mut matches, mut chances) = (Seats::default(), Vec::new(), Vec::new());
    for found in whole {
        let match_id = Uuid::now_v7();
        matches.push(match_id);
        chances.push(found.win_chance as f32);
        for (team, tickets) in found.teams.iter().enumerate() {
            for &at in tickets {
                seats.tickets.push(waiting[at].ticket_id);
                seats.places.push(match_id);
                seats.teams.push(team as i16);
                metrics::histogram!("sortie_matchmaking_wait_seconds",
                    "queue" => queue.name.clone())
                .record(waiting[at].waited_s);
            }
        }
    }
    if matches.is_empty() {
        return Ok(());
    }
    done.matches += matches.len();
    done.matched += seats.tickets.len();
    match queue.ready_check_s {
        Some(answer_s) => {
            let answer_by = now + Duration::seconds(i64::from(answer_s));
            propose(db, queue, &matches, &chances, &seats, now, answer_by).await
        }
        None => {
            ask(&mut *db, queue, &matches, &chances, now).await?;
            seat(db, &seats, "match").await
        }
    }
}

/// Locks those of `wanted` that still wait and that nobody else has locked.
pub(super) async fn take(
    db: &mut PgConnection,
    wanted: &[Uuid],
    now: OffsetDateTime,
) -> Result<HashSet<Uuid>, MatchmakingError> {
    let taken = sqlx::query_scalar!(
        "select ticket_id from ticket
         where ticket_id = any($1) and state = 'waiting' and expires_at > $2
         for update skip locked",
        wanted,
        now
    )
    .fetch_all(db)
    .await?;
    Ok(taken.into_iter().collect())
}

/// Makes the battles of matches; the match's id becomes the battle's.
async fn ask(
    db: &mut PgConnection,
    queue: &Queue,
    battles: &[Uuid],
    chances: &[f32],
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    let terms = Terms {
        mode: &queue.mode,
        map: &queue.map,
        is_ranked: queue.is_ranked,
        players_max: queue.players_max,
        duration_s: queue.duration_s,
    };
    battle::ask(&mut *db, battles, terms, now).await?;
    sqlx::query!(
        "insert into queue_battle (battle_id, queue, made_at, win_chance)
         select b, $3, $4, c from unnest($1::uuid[], $2::real[]) as t (b, c)",
        battles,
        chances,
        queue.name,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Puts locked tickets into battles: they are matched, and their players are in the battle.
pub(super) async fn seat(
    db: &mut PgConnection,
    seats: &Seats,
    came_by: &str,
) -> Result<(), MatchmakingError> {
    team_up(&mut *db, seats).await?;
    sqlx::query!(
        "update ticket set state = 'matched', battle_id = s.battle_id, match_id = null, why = ''
         from unnest($1::uuid[], $2::uuid[]) as s (ticket_id, battle_id)
         where ticket.ticket_id = s.ticket_id",
        &seats.tickets,
        &seats.places
    )
    .execute(&mut *db)
    .await?;
    queue::into_battles(db, &seats.tickets, came_by).await?;
    metrics::counter!("sortie_matchmaking_tickets_total", "event" => "matched")
        .increment(seats.tickets.len() as u64);
    Ok(())
}

async fn team_up(db: &mut PgConnection, seats: &Seats) -> Result<(), MatchmakingError> {
    sqlx::query!(
        "update ticket_player set team = s.team
         from unnest($1::uuid[], $2::smallint[]) as s (ticket_id, team)
         where ticket_player.ticket_id = s.ticket_id",
        &seats.tickets,
        &seats.teams
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Asks everybody of the matches whether they are there.
async fn propose(
    db: &mut PgConnection,
    queue: &Queue,
    matches: &[Uuid],
    chances: &[f32],
    seats: &Seats,
    now: OffsetDateTime,
    answer_by: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    sqlx::query!(
        "insert into match_proposal (match_id, queue, created_at, answer_by, win_chance)
         select m, $3, $4, $5, c from unnest($1::uuid[], $2::real[]) as t (m, c)",
        matches,
        chances,
        queue.name,
        now,
        answer_by
    )
    .execute(&mut *db)
    .await?;
    team_up(&mut *db, seats).await?;
    sqlx::query!(
        "update ticket set state = 'proposed', match_id = s.match_id, why = ''
         from unnest($1::uuid[], $2::uuid[]) as s (ticket_id, match_id)
         where ticket.ticket_id = s.ticket_id",
        &seats.tickets,
        &seats.places
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into match_answer (match_id, player_id)
         select match_id, player_id from ticket join ticket_player using (ticket_id)
         where match_id = any($1)",
        matches
    )
    .execute(db)
    .await?;
    metrics::counter!("sortie_matchmaking_proposals_total", "event" => "asked")
        .increment(matches.len() as u64);
    Ok(())
}

/// Everybody of a locked proposal has accepted: it becomes a battle of the same id.
pub(crate) async fn begin(
    db: &mut PgConnection,
    queue: &Queue,
    match_id: Uuid,
    win_chance: f32,
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    ask(&mut *db, queue, &[match_id], &[win_chance], now).await?;
    let tickets = sqlx::query_scalar!(
        "update ticket set state = 'matched', battle_id = $1, why = ''
         where match_id = $1 and state = 'proposed' returning ticket_id",
        match_id
    )
    .fetch_all(&mut *db)
    .await?;
    queue::into_battles(&mut *db, &tickets, "match").await?;
    sqlx::query!(
        "update match_proposal set state = 'accepted', battle_id = $1 where match_id = $1",
        match_id
    )
    .execute(db)
    .await?;
    metrics::counter!("sortie_matchmaking_proposals_total", "event" => "accepted").increment(1);
    metrics::counter!("sortie_matchmaking_tickets_total", "event" => "matched")
        .increment(tickets.len() as u64);
    Ok(())
}
