//! How long the rows of this service stay after they are over.

use std::time::Duration;

use sortie_control::retention::Rule;

/// The rules.
pub(crate) const RULES: &[Rule] = &[Rule {
    table: "replay",
    age: Duration::ZERO,
    delete: "delete from replay where battle_id in (
            select battle_id from replay where expires_at < now() - make_interval(secs => $1)
            limit $2 for update skip locked)",
}];

#[cfg(test)]
mod tests {
    use sortie_control::retention::apply_rules;
    use sqlx::PgPool;
    use uuid::Uuid;

    use super::*;

    /// A replay that is over so many days ago.
    async fn plant(db: &PgPool, days: i32) {
        let battle = Uuid::now_v7();
        for statement in [
            "insert into battle (battle_id, mode, map, is_ranked, players_max, state)
                select $1, 'walk', 'x', false, 8, 'cancelled' where $2 is not null",
            "insert into replay (battle_id, place, bytes, expires_at)
                select $1, 'x', 1, now() - make_interval(days => $2)",
        ] {
            let query = sqlx::query(statement).bind(battle).bind(days);
            query.execute(db).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn what_is_long_over_is_removed_and_nothing_else(db: PgPool) {
        plant(&db, 15).await;
        plant(&db, -1).await;
        assert_eq!(apply_rules(&db, RULES).await.unwrap(), 1);
        // The battle stays.
        let left = "select (select count(*) from replay), (select count(*) from battle)";
        let left: (i64, i64) = sqlx::query_as(left).fetch_one(&db).await.unwrap();
        assert_eq!(left, (1, 2));
        assert_eq!(apply_rules(&db, RULES).await.unwrap(), 0);
    }
}
