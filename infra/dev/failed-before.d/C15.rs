//! C15: nobody takes a name that looks like another's, that is reserved, or that is not seen.
//! Goes to services/account/tests, with Postgres.
#![allow(dead_code, reason = "of the tests' API a part is used")]

#[path = "account/common.rs"]
mod common;

use common::{Api, PASSWORD};
use serde_json::json;
use sqlx::PgPool;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn names_that_deceive_are_refused(db: PgPool) {
    let api = Api::new(db);
    api.member("Adam").await;
    // With a Cyrillic letter; reserved; three Hangul fillers.
    let names = ["\u{410}dam", "admin", "\u{3164}\u{3164}\u{3164}"];
    let mut taken = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let email = format!("member{number}@example.org");
        let body = json!({ "name": name, "email": email, "password": PASSWORD });
        if api.post("/v1/accounts", body).await.0.is_success() {
            taken.push(name.escape_default().to_string());
        }
    }
    assert!(taken.is_empty(), "C15: these names were given away: {taken:?}");
}
