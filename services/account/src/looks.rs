//! The job that notes what names look like, where nobody has: nodes of an older version give names
//! without it while they are replaced, and guests get theirs here.

use std::time::Duration;

use sortie_control::service::Stop;
use sortie_control::text::look;
use sqlx::PgPool;

const EVERY: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(60);

/// Notes looks until the stop.
pub async fn run(db: PgPool, mut stop: Stop) {
    loop {
        let pause = match look::fill(&db).await {
            Ok(alike) => {
                if alike > 0 {
                    tracing::info!(names = alike, "names look like an older player's");
                }
                EVERY
            }
            Err(error) => {
                tracing::warn!(%error, "names are compared later");
                AGAIN
            }
        };
        if !stop.wait(pause).await {
            return;
        }
    }
}
