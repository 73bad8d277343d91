//! B9: a database that takes no writes any more is unavailable, 503, not an error of ours.
//! Goes to services/control/tests, with Postgres.

use axum::http::StatusCode;
use sortie_control::error::ApiError;
use sqlx::PgPool;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_primary_that_takes_no_writes_is_503(db: PgPool) {
    let mut session = db.acquire().await.unwrap();
    let demoted = "set default_transaction_read_only = on";
    sqlx::query(demoted).execute(&mut *session).await.unwrap();
    let write = sqlx::query("insert into flag (flag, value) values ('a.flag', 'true')");
    let refused = ApiError::from(write.execute(&mut *session).await.unwrap_err());
    let status = refused.status();
    assert!(status == StatusCode::SERVICE_UNAVAILABLE, "B9: a write that is refused is {status}");
}
