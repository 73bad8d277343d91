//! The job that notes what names look like, where nobody has: nodes of an older version give names
//! without it while they are replaced, and guests get theirs here.

use std::time::Duration;

use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;
use sortie_control::text::look;
use sqlx::PgPool;

const EVERY: Duration = Duration::from_secs(600);

/// Notes looks until the stop.
pub async fn run(db: PgPool, stop: Stop) {
    let mut rounds = Rounds::new("account looks", EVERY, "names are compared later", stop);
    while rounds.next().await {
        let filled = look::fill(&db).await;
        if let Ok(alike @ 1..) = filled {
            tracing::info!(names = alike, "names look like an older player's");
        }
        rounds.ended(filled.map(drop));
    }
}
