//! Names that nobody knows are refused by every route that a node serves, by the name; and bodies
//! by every route that takes none.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use sortie_control::query::UNEXPECTED_BODY;
use sqlx::PgPool;

use super::matrix::{Caller, Fixture, filled, operations, role_of};
use super::openapi;

/// A name that no route has.
const UNKNOWN: &str = "serch";

/// Calls an operation as an administrator; says what is wrong unless it is refused by the name.
async fn fault(
    fixture: &Fixture,
    token: Option<&str>,
    route: &str,
    query: &str,
    body: Option<Value>,
) -> Option<String> {
    let (method, path) = route.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let (router, target) = (&fixture.routers[&role_of(path)], format!("{}{query}", filled(path)));
    let (status, answer) = sortie_testing::call(router, method, &target, token, body).await;
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    let is_named = answer["error"]["code"] == "request.unknown_name"
        && message.contains(&format!("`{UNKNOWN}`"));
    (status != 400 || !is_named).then(|| format!("{route}{query}: {status} {answer}"))
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn every_route_refuses_a_name_that_it_does_not_know(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let staff = Caller::Staff("administrator".to_owned(), Vec::new());
    let (mut faults, mut bodies) = (Vec::new(), 0);
    let operations = operations();
    for (route, operation) in &operations {
        let token = fixture.token(&staff).await;
        let token = token.as_deref();
        let query = format!("?{UNKNOWN}=x");
        faults.extend(fault(&fixture, token, route, &query, None).await);
        if operation["requestBody"]["content"]["application/json"].is_object() {
            bodies += 1;
            let body = Some(json!({ UNKNOWN: "x" }));
            faults.extend(fault(&fixture, token, route, "", body).await);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(operations.len() > 90 && bodies > 30, "{} and {bodies}", operations.len());
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn every_route_without_a_body_refuses_one(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let staff = Caller::Staff("administrator".to_owned(), Vec::new());
    let token = fixture.token(&staff).await;
    let (mut faults, mut count) = (Vec::new(), 0);
    for (route, operation) in operations() {
        if operation["requestBody"].is_object() {
            continue;
        }
        count += 1;
        let (method, path) = route.split_once(' ').unwrap();
        let (router, method) = (&fixture.routers[&role_of(path)], method.parse().unwrap());
        let (path, body) = (filled(path), Some(json!({})));
        let answer = sortie_testing::call(router, method, &path, token.as_deref(), body).await;
        if answer.0 != 400 || answer.1["error"]["code"] != UNEXPECTED_BODY {
            faults.push(format!("{route}: {answer:?}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count > 50, "{count}");
}

/// Objects within objects, too.
#[tokio::test]
async fn every_object_of_a_body_is_closed_and_the_document_says_so() {
    let document = openapi::document();
    let mut objects = Objects { document: &document, seen: BTreeSet::new(), open: Vec::new() };
    for (route, operation) in operations() {
        objects.walk(&operation["requestBody"]["content"]["application/json"]["schema"], &route);
    }
    assert!(objects.seen.len() > 25, "{:?}", objects.seen);
    assert!(objects.open.is_empty(), "these take any field: {:#?}", objects.open);
}

struct Objects<'a> {
    document: &'a Value,
    seen: BTreeSet<String>,
    open: Vec<String>,
}

impl Objects<'_> {
    fn walk(&mut self, schema: &Value, place: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            if self.seen.insert(reference.to_owned()) {
                let target = self.document.pointer(reference.trim_start_matches('#'));
                self.walk(target.expect("a schema of the document"), reference);
            }
            return;
        }
        if let Some(properties) = schema["properties"].as_object() {
            if schema["additionalProperties"] != json!(false) {
                self.open.push(place.to_owned());
            }
            for (name, inner) in properties {
                self.walk(inner, &format!("{place}.{name}"));
            }
        }
        self.walk_list(schema, place);
    }

    fn walk_list(&mut self, schema: &Value, place: &str) {
        for kind in ["oneOf", "anyOf", "allOf"] {
            for inner in schema[kind].as_array().into_iter().flatten() {
                self.walk(inner, place);
            }
        }
        if schema["items"].is_object() {
            self.walk(&schema["items"], place);
        }
    }
}
