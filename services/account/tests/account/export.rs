//! `GET /v1/me/export`

use axum::http::Method;
use serde_json::Value;
use sqlx::PgPool;

use crate::common::{Api, is_done};
use crate::erasure::plant;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn an_export_has_all_texts_of_a_player_and_no_secret(db: PgPool) {
    let api = Api::new(db);
    let (ada, bob) = (api.member("Ada").await, api.member("Bob").await);
    plant(&api, ada.player_id, bob.player_id).await;
    let path = "/v1/me/export";
    let data = is_done(api.call(Method::GET, path, Some(&ada.access), Value::Null).await);
    for list in ["logins", "bans", "staff_notes", "battles", "messages", "reports_made", "rooms"] {
        assert!(!data[list].as_array().unwrap().is_empty(), "{list}");
    }
    let whole = data.to_string();
    for canary in
        ["about", "email", "agent", "note", "reason", "appeal", "message", "report", "room"]
    {
        assert!(whole.contains(&format!("canary-{canary}")), "{canary}");
    }
    assert!(!whole.contains("argon2") && !whole.contains("totp_secret"));
    assert!(!whole.contains("Bob"), "others are ids only");
    assert!(!whole.contains("canary-accusation"), "what others reported is theirs");
    for list in ["bans", "staff_notes", "reports_about", "roles"] {
        let text = data[list].to_string();
        assert!(!text.contains(&bob.player_id.to_string()), "who wrote {list}");
    }

    let api_document = serde_json::to_value(sortie_account::router().into_openapi()).unwrap();
    let described = &api_document["components"]["schemas"]["Export"]["properties"];
    let names = |value: &Value| Vec::from_iter(value.as_object().unwrap().keys().cloned());
    let (mut given, mut described) = (names(&data), names(described));
    given.sort();
    described.sort();
    assert_eq!(given, described, "what the document says is what is given");

    let empty = is_done(api.call(Method::GET, path, Some(&bob.access), Value::Null).await);
    assert_eq!(empty["messages"], Value::Array(Vec::new()));
    assert!(!empty.to_string().contains("canary-email"));
}
