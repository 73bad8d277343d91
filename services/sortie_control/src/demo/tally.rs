//! Whether everything adds up when a run is over: asked of the database, compared with what
//! battle servers told.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;

/// What the database has of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Battles by how they ended.
    pub battles: BTreeMap<String, i64>,
    /// Results, by the events that each left for other systems.
    pub results_stored: i64,
    /// Rating changes, one a player and battle.
    pub rating_rows: i64,
    /// The same by their reason; `ranked` are those that changed a rating.
    pub rating_reasons: BTreeMap<String, i64>,
    /// Matchmaking's tickets by state.
    pub tickets: BTreeMap<String, i64>,
    /// What about tickets does not fit together; all are zero.
    pub ticket_faults: TicketFaults,
}

/// Rules that all tickets keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TicketFaults {
    /// Players of matched tickets who are not in the ticket's battle.
    pub matched_without_battle: i64,
    /// Players of battles that a queue made who came by no ticket, or by several.
    pub players_without_ticket: i64,
    /// Players who wait by a ticket that waits no longer.
    pub open_but_ended: i64,
    /// Players whose ticket waits, and who are not held to wait.
    pub waiting_but_free: i64,
}

impl Tally {
    /// Battles that were finished.
    pub fn finished(&self) -> i64 {
        self.battles.get("finished").copied().unwrap_or_default()
    }

    /// Of everything since a moment.
    ///
    /// # Errors
    /// The database is away.
    pub async fn since(db: &PgPool, start: OffsetDateTime) -> sqlx::Result<Self> {
        let battles = sqlx::query!(
            r#"select state, count(*) as "count!" from battle where asked_at >= $1 group by 1"#,
            start
        )
        .fetch_all(db)
        .await?;
        let results_stored = sqlx::query_scalar!(
            r#"select count(*) as "count!" from outbox
               where topic = 'battle.finished' and created_at >= $1"#,
            start
        )
        .fetch_one(db)
        .await?;
        let reasons = sqlx::query!(
            r#"select reason, count(*) as "count!" from rating_change where at >= $1 group by 1"#,
            start
        )
        .fetch_all(db)
        .await?;
        let tickets = sqlx::query!(
            r#"select state, count(*) as "count!" from ticket where created_at >= $1 group by 1"#,
            start
        )
        .fetch_all(db)
        .await?;
        Ok(Self {
            battles: battles.into_iter().map(|row| (row.state, row.count)).collect(),
            results_stored,
            rating_rows: reasons.iter().map(|row| row.count).sum(),
            rating_reasons: reasons.into_iter().map(|row| (row.reason, row.count)).collect(),
            tickets: tickets.into_iter().map(|row| (row.state, row.count)).collect(),
            ticket_faults: TicketFaults::since(db, start).await?,
        })
    }
}

impl TicketFaults {
    async fn since(db: &PgPool, start: OffsetDateTime) -> sqlx::Result<Self> {
        let row = sqlx::query!(
            r#"select
                (select count(*) from ticket t join ticket_player p using (ticket_id)
                 where t.state = 'matched' and t.created_at >= $1 and not exists (
                    select from battle_player b
                    where b.battle_id = t.battle_id and b.player_id = p.player_id
                 )) as "matched_without_battle!",
                (select count(*) from battle_player b join battle using (battle_id)
                 where battle.asked_at >= $1 and b.came_by in ('match', 'backfill') and 1 <> (
                    select count(*) from ticket t join ticket_player p using (ticket_id)
                    where t.battle_id = b.battle_id and t.state = 'matched'
                        and p.player_id = b.player_id
                 )) as "players_without_ticket!",
                (select count(*) from ticket_open join ticket t using (ticket_id)
                 where t.state not in ('waiting', 'proposed')) as "open_but_ended!",
                (select count(*) from ticket t join ticket_player p using (ticket_id)
                 where t.state in ('waiting', 'proposed') and not exists (
                    select from ticket_open o
                    where o.player_id = p.player_id and o.ticket_id = t.ticket_id
                 )) as "waiting_but_free!""#,
            start
        )
        .fetch_one(db)
        .await?;
        Ok(Self {
            matched_without_battle: row.matched_without_battle,
            players_without_ticket: row.players_without_ticket,
            open_but_ended: row.open_but_ended,
            waiting_but_free: row.waiting_but_free,
        })
    }
}

#[cfg(test)]
mod tests {
    use sortie_control::testing::player;
    use uuid::Uuid;

    use super::*;

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn tickets_that_lead_nowhere_are_found(db: PgPool) {
        let start = OffsetDateTime::now_utc() - time::Duration::hours(1);
        assert_eq!(Tally::since(&db, start).await.unwrap().ticket_faults, TicketFaults::default());
        let (player_id, ticket_id) = (player(&db, "Ada").await, Uuid::now_v7());
        sqlx::query(
            "with t as (
                insert into ticket (ticket_id, queue, state, expires_at, rating, deviation, size)
                values ($1, 'conquest', 'matched', now(), 25, 8, 1) returning ticket_id
            ), p as (
                insert into ticket_player (ticket_id, player_id, rating, deviation)
                select ticket_id, $2, 25, 8 from t
            )
            insert into ticket_open (player_id, ticket_id) select $2, ticket_id from t",
        )
        .bind(ticket_id)
        .bind(player_id)
        .execute(&db)
        .await
        .unwrap();
        let tally = Tally::since(&db, start).await.unwrap();
        assert_eq!(tally.tickets["matched"], 1);
        let faults = tally.ticket_faults;
        assert_eq!((faults.matched_without_battle, faults.open_but_ended), (1, 1));
    }
}
