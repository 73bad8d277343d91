//! What the description of the routes promises.

use serde_json::Value;

const OPEN: &[&str] = &[
    "get /v1/players/{player_id}",
    "get /v1/players/{player_id}/picture",
    "post /v1/accounts",
    "post /v1/accounts/guest",
    "post /v1/password/reset-requests",
    "post /v1/password/resets",
    "post /v1/sessions",
    "post /v1/sessions/refresh",
];

const PLAYERS: &[&str] = &[
    "delete /v1/me",
    "delete /v1/me/picture",
    "delete /v1/sessions",
    "delete /v1/sessions/current",
    "delete /v1/sessions/{session_id}",
    "delete /v1/totp",
    "get /v1/me",
    "get /v1/me/export",
    "get /v1/sessions",
    "patch /v1/me",
    "post /v1/accounts/upgrade",
    "post /v1/password",
    "post /v1/totp",
    "post /v1/totp/confirm",
    "put /v1/me/picture",
];

#[test]
fn every_route_is_described_and_says_who_may_call_it() {
    let api = serde_json::to_value(sortie_account::router().into_openapi()).unwrap();
    let (mut open, mut players) = (Vec::new(), Vec::new());
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert_eq!(operation["tags"][0], "account", "{name}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                let is_error = status.starts_with(['4', '5']);
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                let is_ours = schema == "#/components/schemas/ErrorBody";
                assert!(!is_error || is_ours, "{name}: {status}");
            }
            if operation["security"] == Value::Null {
                open.push(name);
            } else {
                assert!(responses.contains_key("401"), "{name}");
                players.push(name);
            }
        }
    }
    open.sort();
    players.sort();
    assert_eq!((open, players), (OPEN.map_strings(), PLAYERS.map_strings()));
}

trait MapStrings {
    fn map_strings(&self) -> Vec<String>;
}

impl MapStrings for [&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}
