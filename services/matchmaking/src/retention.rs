//! How long rooms and parties stay after they are over. What runs out by the minute is cleaned up
//! elsewhere.

use sortie_control::retention::{DAY, Rule};

/// The rules.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        table: "room",
        age: DAY.saturating_mul(7),
        delete: "delete from room where room_id in (
            select room_id from room
            where state = 'closed' and closed_at < now() - make_interval(secs => $1)
            limit $2 for update skip locked)",
    },
    // A party is over when nobody of it was there for so long; its members go with it.
    Rule {
        table: "party",
        age: DAY,
        delete: "delete from party where party_id in (
            select party_id from party
            where created_at < now() - make_interval(secs => $1) and not exists (
                select from party_member m left join personal.login_session s
                    on s.player_id = m.player_id
                        and s.seen_at >= now() - make_interval(secs => $1)
                    left join ticket_open o on o.player_id = m.player_id
                where m.party_id = party.party_id
                    and (s.session_id is not null or o.player_id is not null))
            limit $2 for update skip locked)",
    },
];

#[cfg(test)]
mod tests {
    use sortie_control::retention::apply_rules;
    use sqlx::PgPool;
    use uuid::Uuid;

    use super::*;

    /// A room and a party that are over so many days ago.
    async fn plant(db: &PgPool, days: i32, code: &str) {
        let player = sortie_testing::player(db, &format!("Player {code}")).await;
        let id = Uuid::now_v7();
        for statement in [
            "insert into room (room_id, code, owner, name, mode, map, players_max, state,
                closed_at) select $1, $3, $2, 'x', 'walk', 'x', 8, 'closed',
                now() - make_interval(days => $4)",
            "insert into party (party_id, leader, code, created_at)
                select $1, $2, $3, now() - make_interval(days => $4)",
            "insert into party_member (player_id, party_id)
                select $2, $1 where $3 <> '' and $4 is not null",
        ] {
            let query = sqlx::query(statement).bind(id).bind(player).bind(code).bind(days);
            query.execute(db).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    async fn left(db: &PgPool) -> (i64, i64, i64) {
        let left = "select (select count(*) from room), (select count(*) from party),
            (select count(*) from party_member)";
        sqlx::query_as(left).fetch_one(db).await.unwrap()
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn what_is_long_over_is_removed_and_nothing_else(db: PgPool) {
        plant(&db, 15, "AAAAAA").await;
        plant(&db, -1, "BBBBBB").await;
        assert_eq!(left(&db).await, (2, 2, 2));
        assert_eq!(apply_rules(&db, RULES).await.unwrap(), 2);
        assert_eq!(left(&db).await, (1, 1, 1));
        assert_eq!(apply_rules(&db, RULES).await.unwrap(), 0);
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_party_stays_while_somebody_of_it_is_there(db: PgPool) {
        plant(&db, 2, "AAAAAA").await;
        sqlx::query(
            "insert into personal.login_session (session_id, player_id, expires_at)
             select player_id, player_id, now() + interval '1 day' from player",
        )
        .execute(&db)
        .await
        .unwrap();
        apply_rules(&db, RULES).await.unwrap();
        let parties = "select count(*) from party";
        let count: i64 = sqlx::query_scalar(parties).fetch_one(&db).await.unwrap();
        assert_eq!(count, 1);
        let gone = "update personal.login_session set seen_at = now() - interval '25 hours'";
        sqlx::query(gone).execute(&db).await.unwrap();
        apply_rules(&db, RULES).await.unwrap();
        let count: i64 = sqlx::query_scalar(parties).fetch_one(&db).await.unwrap();
        assert_eq!(count, 0);
    }
}
