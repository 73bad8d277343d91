//! Scores of a battle reach the sets on the bus as soon as the outbox tells of its result: on one
//! node, because each event is remembered in the inbox. The job that follows Postgres comes after.

use serde::Deserialize;
use uuid::Uuid;

use sortie_control::bus::Heard;
use sortie_control::listening::{self, DeafError, Hearing};
use sortie_control::outbox::{self, Event};
use sortie_control::service::Stop;

use super::bus::{Boards, FillError};
use super::follow::put;

/// What results are called in the outbox.
const TOPIC: &str = "battle.finished";

/// Who acts, in the inbox.
const SOURCE: &str = "leaderboards";

/// What is needed of an event.
#[derive(Debug, Deserialize)]
struct Finished {
    battle_id: Uuid,
    season_id: i32,
}

/// Hears of results until the stop is asked for.
pub(crate) async fn job(boards: Boards, stop: Stop) {
    let hearing = Hearing::new("leaderboard-events", "leaderboards are brought up to date later");
    listening::listen(hearing, stop, |hearing| hear(boards.clone(), hearing)).await;
}

/// Hears of results until the bus ends, or one cannot be acted upon. What was missed is found in
/// Postgres by the job that follows it.
async fn hear(boards: Boards, hearing: Hearing) -> Result<(), DeafError> {
    let mut heard = boards.app().bus.topics.subscribe(TOPIC).await?;
    hearing.works();
    while let Some(heard) = heard.next().await {
        let Heard::Message(body) = heard else { continue };
        let Ok(event) = serde_json::from_slice::<Event>(&body) else {
            tracing::warn!("an event cannot be read");
            continue;
        };
        act(&boards, &event).await?;
    }
    Ok(())
}

/// Puts the scores of the battle's players, once in all; false: another node did.
pub(super) async fn act(boards: &Boards, event: &Event) -> Result<bool, FillError> {
    let Ok(finished) = serde_json::from_value::<Finished>(event.body.clone()) else {
        return Ok(false);
    };
    let mut tx = boards.db().begin().await?;
    if !outbox::is_new(&mut tx, SOURCE, event.event_id).await? {
        return Ok(false);
    }
    let players = sqlx::query_scalar!(
        "select player_id from rating_change where battle_id = $1 and is_ranked",
        finished.battle_id
    )
    .fetch_all(&mut *tx)
    .await?;
    if !players.is_empty() {
        put(boards.app(), finished.season_id, &players).await?;
    }
    // Only now: a node that ends before leaves the event to the next one who hears it.
    tx.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sortie_control::app::AppState;
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn of_many_who_hear_of_a_result_one_acts(db: PgPool) {
        let player = sortie_testing::player(&db, "Ann").await;
        let battle_id = Uuid::now_v7();
        for statement in [
            "insert into battle (battle_id, mode, map, is_ranked, players_max, state)
                select $1, 'conquest', 'plain', true, 8, 'cancelled' where $1 <> $2",
            "insert into rating (player_id, season_id, mode, rating, uncertainty, shown, battles)
                select $2, 1, 'conquest', 25, 8, 1400, 1 where $1 <> $2",
            "insert into rating_change (battle_id, player_id, season_id, mode, is_ranked, reason,
                rating_before, uncertainty_before, rating_after, uncertainty_after, shown_before,
                shown_after) values ($1, $2, 1, 'conquest', true, 'ranked', 25, 8, 25, 8, 1, 1400)",
        ] {
            sqlx::query(statement).bind(battle_id).bind(player).execute(&db).await.unwrap();
        }
        let boards = Boards::new(&AppState::local(db.clone()));
        let event = Event {
            event_id: 5,
            topic: TOPIC.to_owned(),
            key: battle_id.to_string(),
            body: json!({ "battle_id": battle_id, "season_id": 1 }),
        };
        let (one, two) = tokio::join!(act(&boards, &event), act(&boards, &event));
        assert_ne!(one.unwrap(), two.unwrap());
        assert!(!act(&boards, &event).await.unwrap());
        let place = boards.app().bus.boards.place("rating/1/conquest", player).await.unwrap();
        assert_eq!(place, Some((0, 1400)));
    }
}
