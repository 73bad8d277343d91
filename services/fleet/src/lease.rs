//! The job `leases`: servers whose lease ran out are gone, and what becomes of their battles.

use std::time::{Duration, Instant};

use sortie_battles::state::ServerState;
use sortie_battles::{battle, order, server};
use sortie_control::rounds::{Round, Rounds};
use sortie_control::service::Stop;
use sqlx::PgPool;
use uuid::Uuid;

use crate::requeue::{Requeue, requeue};
use crate::settings::Settings;

/// Cleans up until the stop is asked for.
pub(crate) async fn run(db: PgPool, settings: Settings, stop: Stop) {
    let (period, failing) = (settings.cleanup_every, "leases are not looked after");
    // While nobody of us was there, or the database was away, no server could renew its lease:
    // each gets a lease's time for its next heartbeat before it is called gone.
    let mut rounds = Rounds::new("leases", period, failing, stop).not_before(settings.lease);
    let mut is_cut_off = false;
    while rounds.next().await {
        let looked = look(&db, &settings, is_cut_off).await;
        is_cut_off = looked.is_err();
        rounds.ended(looked);
    }
}

/// A look at the leases, if the database answers: one never follows an outage at once.
async fn look(db: &PgPool, settings: &Settings, was_cut_off: bool) -> sqlx::Result<Round> {
    answers(db, settings.lease / 2).await?;
    if was_cut_off {
        return Ok(Round::NotBefore(settings.lease));
    }
    clean_up(db, settings).await.map(Round::from)
}

/// Whether the database answers. One that takes long to was as good as away meanwhile.
async fn answers(db: &PgPool, in_time: Duration) -> sqlx::Result<()> {
    let asked_at = Instant::now();
    sqlx::query("select 1").execute(db).await?;
    if asked_at.elapsed() < in_time { Ok(()) } else { Err(sqlx::Error::PoolTimedOut) }
}

/// One look at all servers. All of it goes by the database's clock.
pub(crate) async fn clean_up(db: &PgPool, settings: &Settings) -> sqlx::Result<()> {
    while let Some(server_id) = mark_gone(db).await? {
        metrics::counter!("sortie_servers_gone_total").increment(1);
        tracing::warn!(%server_id, "the lease of a battle server ran out");
    }
    requeue_unopened(db, settings).await?;
    let lost = battle::lose(db, settings.return_grace.as_secs_f64()).await?;
    if lost > 0 {
        metrics::counter!("sortie_battles_lost_total").increment(lost);
        tracing::warn!(lost, "battles are lost: their servers did not come back");
    }
    order::drop_of_gone(db, settings.return_grace.as_secs_f64()).await?;
    show(db).await
}

/// A server at a time, so that the battles of each go back in one transaction.
async fn mark_gone(db: &PgPool) -> sqlx::Result<Option<Uuid>> {
    let mut tx = db.begin().await?;
    let gone = server::mark_gone(&mut tx).await?;
    if let Some(server_id) = gone {
        // Nobody has seen these begin; another server can open them at once. Running ones are
        // waited for, and so are orders about them.
        let unopened = sqlx::query_scalar!(
            "select battle_id from battle where server_id = $1 and battle_is_allocated(state)",
            server_id
        )
        .fetch_all(&mut *tx)
        .await?;
        let how = Requeue { why: "its server was lost before it began", tries_max: None };
        requeue(&mut tx, server_id, &unopened, &how).await?;
    }
    tx.commit().await?;
    Ok(gone)
}

/// Battles that a living server has not begun in time.
async fn requeue_unopened(db: &PgPool, settings: &Settings) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    let late = sqlx::query!(
        r#"select battle_id, server_id as "server_id!" from battle
           where battle_is_allocated(state) and allocated_at < now() - make_interval(secs => $1)
           order by battle_id for update skip locked"#,
        settings.open_timeout.as_secs_f64()
    )
    .fetch_all(&mut *tx)
    .await?;
    for row in late {
        let how = Requeue {
            why: "its server did not begin it in time",
            tries_max: Some(settings.tries_max),
        };
        tracing::warn!(battle_id = %row.battle_id, server_id = %row.server_id, "{}", how.why);
        requeue(&mut tx, row.server_id, &[row.battle_id], &how).await?;
    }
    tx.commit().await
}

async fn show(db: &PgPool) -> sqlx::Result<()> {
    let states = sqlx::query!(
        r#"select state, count(*) as "count!" from battle_server where not server_is_gone(state)
           group by state"#
    )
    .fetch_all(db)
    .await?;
    for name in [ServerState::Ready, ServerState::Draining].map(ServerState::name) {
        let count = states.iter().find(|row| row.state == name).map_or(0, |row| row.count);
        metrics::gauge!("sortie_battle_servers", "state" => name).set(count as f64);
    }
    Ok(())
}
