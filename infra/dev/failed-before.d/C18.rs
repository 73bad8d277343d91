//! C18: nobody deletes a role that may do more than they may.
//! Goes to services/admin/tests, with Postgres.
#![allow(dead_code, reason = "of the tests' world a part is used")]

#[path = "admin/world.rs"]
mod world;

use axum::http::Method;
use serde_json::json;
use sqlx::PgPool;
use world::World;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn roles_beyond_ones_own_stay(db: PgPool) {
    let world = World::new(db);
    let (_, all) = world.staff("Administrator", "administrator").await;
    for (role, permission) in [("hr", "roles.write"), ("judge", "bans.write")] {
        let path = format!("/v1/admin/roles/{role}");
        let body = Some(json!({ "permissions": [permission] }));
        assert!(world.call(Method::PUT, &path, &all, body).await.0.is_success());
    }
    let (_, hr) = world.staff("Personnel", "hr").await;
    let path = "/v1/admin/roles/judge";
    let (status, _) = world.call(Method::DELETE, path, &hr, None).await;
    assert!(status.as_u16() == 403, "C18: deleting a role beyond the caller's is {status}");
}
