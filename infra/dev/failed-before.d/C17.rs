//! C17: what staff type into a path is no part of the audit log, which is never changed.
//! Goes to services/admin/tests, with Postgres.
#![allow(dead_code, reason = "of the tests' world a part is used")]

#[path = "admin/world.rs"]
mod world;

use axum::http::Method;
use sqlx::PgPool;
use world::World;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn names_in_paths_are_not_written_down(db: PgPool) {
    let world = World::new(db);
    let (_, moderator) = world.staff("Moderator", "moderator").await;
    let (player, _) = world.player("Player").await;
    let path = format!("/v1/admin/users/{player}/roles/ada.lovelace");
    let (status, _) = world.call(Method::PUT, &path, &moderator, None).await;
    assert_eq!(status.as_u16(), 403, "moderators give no roles");
    let rows: Vec<String> = sqlx::query_scalar("select audit::text from audit")
        .fetch_all(&world.plane.db)
        .await
        .unwrap();
    assert_eq!(rows.len(), 1, "the refusal is written down");
    let name = rows[0].split([',', '/']).find(|part| part.contains("lovelace"));
    assert!(name.is_none(), "C17: the audit log holds {}", name.unwrap_or_default());
}
