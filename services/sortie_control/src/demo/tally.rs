//! Whether everything adds up when a run is over: asked of the database, compared with what
//! battle servers told.

use std::collections::BTreeMap;

use serde::Serialize;
use sortie_battles::state::BattleState;
use sortie_control::vocabulary::EndedBy;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

/// What the database has of a run: of the battles that were asked for in it, and ran on its
/// servers. Results of earlier runs that come late are not among them.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// Battles by how they stand.
    pub battles: BTreeMap<String, i64>,
    /// Finished battles by who won.
    pub outcomes: Outcomes,
    /// Results, by the events that each left for other systems.
    pub results_stored: i64,
    /// Rating changes, one a player and battle.
    pub rating_rows: i64,
    /// The same by their reason; `ranked` are those that changed a rating.
    pub rating_reasons: BTreeMap<String, i64>,
    /// The ratings of those who were rated.
    pub ratings: Ratings,
    /// The best of the season in the mode of the bots' queue, at most three.
    pub leaders: Vec<Leader>,
    /// Matchmaking's tickets by state.
    pub tickets: BTreeMap<String, i64>,
    /// What about tickets does not fit together; all are zero.
    pub ticket_faults: TicketFaults,
}

/// How finished battles ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Outcomes {
    /// By the rules, with a winner: team 0, team 1.
    pub won: [i64; 2],
    /// By the rules, without one.
    pub drawn: i64,
    /// Before their time: the run was over, or an operator ended them.
    pub stopped: i64,
    /// With a result that people have to look at first.
    pub under_review: i64,
}

impl Outcomes {
    /// Battles that were fought to their end.
    pub(crate) fn decided(&self) -> i64 {
        self.won[0] + self.won[1] + self.drawn
    }
}

/// How the ratings of those lie who were rated in a run. In points of the rating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Ratings {
    /// Players who were rated.
    pub players: i64,
    /// The lowest rating of theirs.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// The standard deviation.
    pub spread: f64,
}

/// A player at the head of the leaderboard.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Leader {
    /// As others see it.
    pub name: String,
    /// What leaderboards show.
    pub shown: i32,
    /// Ranked battles that were won.
    pub wins: i32,
    /// Battles lost.
    pub losses: i32,
    /// Battles drawn.
    pub draws: i32,
}

/// Rules that all tickets keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TicketFaults {
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
    pub(crate) fn finished(&self) -> i64 {
        self.battles.get(BattleState::Finished.name()).copied().unwrap_or_default()
    }

    /// Of everything on these servers since a moment.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn since(
        db: &PgPool,
        start: OffsetDateTime,
        servers: &[Uuid],
        mode: &str,
    ) -> sqlx::Result<Self> {
        let battles = sqlx::query!(
            r#"select state, count(*) as "count!" from battle
               where asked_at >= $1 and (server_id is null or server_id = any($2)) group by 1"#,
            start,
            servers
        )
        .fetch_all(db)
        .await?;
        let results_stored = sqlx::query_scalar!(
            r#"select count(*) as "count!" from outbox join battle on key = battle_id::text
               where topic = 'battle.finished' and asked_at >= $1 and server_id = any($2)"#,
            start,
            servers
        )
        .fetch_one(db)
        .await?;
        let reasons = sqlx::query!(
            r#"select reason, count(*) as "count!" from rating_change join battle using (battle_id)
               where asked_at >= $1 and server_id = any($2) group by 1"#,
            start,
            servers
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
            outcomes: Outcomes::since(db, start, servers).await?,
            results_stored,
            rating_rows: reasons.iter().map(|row| row.count).sum(),
            rating_reasons: reasons.into_iter().map(|row| (row.reason, row.count)).collect(),
            ratings: Ratings::since(db, start, servers).await?,
            leaders: leaders(db, mode).await?,
            tickets: tickets.into_iter().map(|row| (row.state, row.count)).collect(),
            ticket_faults: TicketFaults::since(db, start).await?,
        })
    }
}

impl Outcomes {
    async fn since(db: &PgPool, start: OffsetDateTime, servers: &[Uuid]) -> sqlx::Result<Self> {
        let results = EndedBy::ALL.iter().filter(|end| end.is_result());
        let decided: Vec<String> = results.map(|end| end.name().to_owned()).collect();
        let row = sqlx::query!(
            r#"with told as (
                   select winner, ended_by = any($3) as is_decided, exists (
                       select from result_review r where r.battle_id = b.battle_id) as in_review
                   from battle b
                   where battle_is_finished(state) and asked_at >= $1 and server_id = any($2)
               )
               select
                   count(*) filter (where is_decided and winner = 0) as "first!",
                   count(*) filter (where is_decided and winner = 1) as "second!",
                   count(*) filter (where is_decided and winner is null and not in_review)
                       as "drawn!",
                   count(*) filter (where not is_decided and not in_review) as "stopped!",
                   count(*) filter (where in_review) as "under_review!"
               from told"#,
            start,
            servers,
            &decided
        )
        .fetch_one(db)
        .await?;
        Ok(Self {
            won: [row.first, row.second],
            drawn: row.drawn,
            stopped: row.stopped,
            under_review: row.under_review,
        })
    }
}

impl Ratings {
    async fn since(db: &PgPool, start: OffsetDateTime, servers: &[Uuid]) -> sqlx::Result<Self> {
        sqlx::query_as!(
            Self,
            r#"select count(*) as "players!", coalesce(min(rating), 0) as "lowest!",
                   coalesce(max(rating), 0) as "highest!",
                   coalesce(stddev_pop(rating), 0) as "spread!"
               from (
                   select distinct on (player_id) rating_after as rating
                   from rating_change join battle using (battle_id)
                   where reason = 'ranked' and asked_at >= $1 and server_id = any($2)
                   order by player_id, change_id desc
               ) as newest"#,
            start,
            servers
        )
        .fetch_one(db)
        .await
    }
}

async fn leaders(db: &PgPool, mode: &str) -> sqlx::Result<Vec<Leader>> {
    sqlx::query_as!(
        Leader,
        "select name, shown, wins, losses, draws from rating join player using (player_id)
         where mode = $1 and battles > 0 and erased_at is null
             and season_id in (select season_id from season where ends_at is null)
         order by shown desc, player_id limit 3",
        mode
    )
    .fetch_all(db)
    .await
}

impl TicketFaults {
    async fn since(db: &PgPool, start: OffsetDateTime) -> sqlx::Result<Self> {
        let row = sqlx::query!(
            r#"select
                (select count(*) from ticket t join ticket_player p using (ticket_id)
                 where ticket_is_matched(t.state) and t.created_at >= $1 and not exists (
                    select from battle_player b
                    where b.battle_id = t.battle_id and b.player_id = p.player_id
                 )) as "matched_without_battle!",
                (select count(*) from battle_player b join battle using (battle_id)
                 where battle.asked_at >= $1 and b.came_by in ('match', 'backfill') and 1 <> (
                    select count(*) from ticket t join ticket_player p using (ticket_id)
                    where t.battle_id = b.battle_id and ticket_is_matched(t.state)
                        and p.player_id = b.player_id
                 )) as "players_without_ticket!",
                (select count(*) from ticket_open join ticket t using (ticket_id)
                 where not ticket_is_open(t.state)) as "open_but_ended!",
                (select count(*) from ticket t join ticket_player p using (ticket_id)
                 where ticket_is_open(t.state) and not exists (
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
    use sortie_testing::player;

    use super::*;

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn tickets_that_lead_nowhere_are_found(db: PgPool) {
        let start = OffsetDateTime::now_utc() - time::Duration::hours(1);
        let nothing = Tally::since(&db, start, &[], "conquest").await.unwrap();
        assert_eq!(nothing.ticket_faults, TicketFaults::default());
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
        let tally = Tally::since(&db, start, &[], "conquest").await.unwrap();
        assert_eq!(tally.tickets["matched"], 1);
        let faults = tally.ticket_faults;
        assert_eq!((faults.matched_without_battle, faults.open_but_ended), (1, 1));
    }

    async fn server(db: &PgPool, name: &str) -> Uuid {
        sqlx::query_scalar(
            "insert into battle_server (server_id, name, address, fingerprint, version,
                protocol_version, battles_max, players_max, state, lease_until)
             values (gen_random_uuid(), $1, 'a:1', sha256('a'), '1', 1, 4, 64, 'ready', now())
             returning server_id",
        )
        .bind(name)
        .fetch_one(db)
        .await
        .unwrap()
    }

    /// A battle with its result: who was rated, and to what.
    async fn finished(
        db: &PgPool,
        (server, asked_at): (Uuid, OffsetDateTime),
        (winner, ended_by): (Option<i16>, &str),
        rated: &[(Uuid, f64)],
    ) {
        let battle_id = Uuid::now_v7();
        sqlx::query(
            "with b as (
                insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id,
                    asked_at, winner, ended_by)
                values ($1::uuid, 'conquest', 'ridge', true, 64, 'finished', $2, $3, $4, $5)
            )
            insert into outbox (topic, key, body) values ('battle.finished', $1::uuid::text, '{}')",
        )
        .bind(battle_id)
        .bind(server)
        .bind(asked_at)
        .bind(winner)
        .bind(ended_by)
        .execute(db)
        .await
        .unwrap();
        for (player_id, rating) in rated {
            sqlx::query(
                "insert into rating_change (battle_id, player_id, season_id, mode, is_ranked,
                    reason, rating_before, uncertainty_before, rating_after, uncertainty_after,
                    shown_before, shown_after)
                 select $1, $2, min(season_id), 'conquest', true, 'ranked', 25, 8, $3, 8, 0, 0
                 from season",
            )
            .bind(battle_id)
            .bind(player_id)
            .bind(rating)
            .execute(db)
            .await
            .unwrap();
        }
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn battles_of_earlier_runs_and_other_servers_are_not_counted(db: PgPool) {
        let start: OffsetDateTime =
            sqlx::query_scalar("select now()").fetch_one(&db).await.unwrap();
        let (before, now) = (start - time::Duration::seconds(1), start);
        let (ours, other) = (server(&db, "ours").await, server(&db, "other").await);
        let (ada, grace) = (player(&db, "Ada").await, player(&db, "Grace").await);
        for (place, outcome, rated) in [
            ((ours, now), (Some(0), "round"), &[(ada, 26.0), (grace, 24.0)][..]),
            ((ours, now), (Some(1), "duration"), &[(ada, 25.0), (grace, 29.0)]),
            ((ours, now), (None, "duration"), &[]),
            ((ours, now), (None, "stopped"), &[]),
            // Stored in this run, and none of its own.
            ((ours, before), (Some(1), "round"), &[(ada, 90.0)]),
            ((other, now), (Some(1), "round"), &[(ada, 99.0)]),
        ] {
            finished(&db, place, outcome, rated).await;
        }
        let tally = Tally::since(&db, start, &[ours], "conquest").await.unwrap();
        assert_eq!((tally.finished(), tally.results_stored, tally.rating_rows), (4, 4, 4));
        let expected = Outcomes { won: [1, 1], drawn: 1, stopped: 1, under_review: 0 };
        assert_eq!((tally.outcomes, tally.outcomes.decided()), (expected, 3));
        let expected = Ratings { players: 2, lowest: 25.0, highest: 29.0, spread: 2.0 };
        assert_eq!(tally.ratings, expected);
    }
}
