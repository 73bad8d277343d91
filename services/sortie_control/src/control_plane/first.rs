//! The first administrator: a token that is shown at the start, until somebody has used it.

use std::net::SocketAddr;
use std::time::Duration;

use sqlx::PgPool;

/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);

/// A new token, if nobody is an administrator; older ones are worth nothing then. A database that
/// is away is asked again until it answers.
pub(crate) async fn token(db: &PgPool) -> Option<String> {
    loop {
        match sortie_admin::first_admin_link(db).await {
            Ok(token) => return token,
            // `readiness` tells that the database is away.
            Err(error) => tracing::debug!(%error, "the first administrator's token has to wait"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What to do with the token.
pub(crate) fn lines(token: &str, admin: SocketAddr) -> String {
    let hours = sortie_admin::FIRST_LINK_LIFE.whole_hours();
    format!(
        "first administrator, once, within {hours} hours: sign up, log in \
         ($ACCESS: that login's access token), then\n  \
         curl -X POST http://{admin}/v1/admin/first -H \"authorization: Bearer $ACCESS\" \
         -H 'content-type: application/json' -d '{{\"token\": \"{token}\"}}'"
    )
}
