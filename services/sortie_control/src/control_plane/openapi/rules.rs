//! What makers of clients may rely on, held over the whole document: a new route, field or word
//! that falls behind fails here, with its name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use sortie_control::vocabulary::{EndedBy, GameMode};
use sqlx::PgPool;

use super::examples::{self, Made, codes_of, fault, reference, types};
use super::{document, listeners, operations, text};
use crate::control_plane::services::Role;

/// What an operation's id begins with: it says what is done.
const VERBS: &[&str] = &[
    "add", "answer", "appeal", "begin", "cancel", "change", "choose", "claim", "close", "confirm",
    "create", "decide", "define", "delete", "drain", "end", "erase", "explain", "export", "get",
    "grant", "join", "kick", "leave", "lift", "list", "log", "open", "refresh", "remove", "rename",
    "report", "request", "reset", "search", "send", "set", "sign", "start", "take", "upgrade",
    "verify", "watch", "write",
];

fn schemas(document: &Value) -> &Map<String, Value> {
    document["components"]["schemas"].as_object().unwrap()
}

/// Calls `see` with every operation, named as `METHOD PATH`.
fn each(document: &Value, mut see: impl FnMut(String, &Value)) {
    let mut document = document.clone();
    for (method, path, operation) in operations(&mut document) {
        see(format!("{} {path}", method.to_uppercase()), operation);
    }
}

/// The contents of a body, by media type.
fn contents(body: &Value) -> impl Iterator<Item = (&String, &Value)> {
    body["content"].as_object().into_iter().flatten()
}

/// The request body and the answers of an operation, by what they are called.
fn bodies(operation: &Value) -> Vec<(String, &Value)> {
    let answers = operation["responses"].as_object().into_iter().flatten();
    let answers = answers.map(|(status, answer)| (status.clone(), answer));
    let request = operation.get("requestBody").map(|body| ("request".to_owned(), body));
    request.into_iter().chain(answers).collect()
}

#[tokio::test]
async fn the_committed_document_is_what_the_services_say() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(committed).unwrap_or_default();
    assert!(
        committed == text(),
        "docs/openapi.json is old; make it anew: sortie-control openapi >docs/openapi.json"
    );
}

#[tokio::test]
async fn every_operation_has_a_tag_a_summary_and_an_id_that_reads() {
    let (document, mut ids) = (document(), BTreeSet::new());
    each(&document, |name, operation| {
        assert!(name.contains(" /v1/"), "{name}");
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(ids.insert(id.to_owned()), "{name}: '{id}' is there twice");
        let words: Vec<&str> = id.split('_').collect();
        let is_word =
            |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let reads = words.len() > 1 && VERBS.contains(&words[0]) && words.iter().all(is_word);
        assert!(reads, "{name}: '{id}' is no verb with what it is done to");
        assert!(operation["tags"][0].is_string(), "{name} has no tag");
        assert!(operation["summary"].is_string(), "{name} has no summary");
        for (status, answer) in operation["responses"].as_object().unwrap() {
            assert!(answer["description"].is_string(), "{name}: {status} has no description");
        }
    });
    assert!(ids.len() > 90, "{}", ids.len());
}

#[tokio::test]
async fn every_path_says_which_listener_serves_it() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let role = match path {
            _ if path.starts_with("/v1/admin/") => Role::Admin,
            _ if path == "/v1/chat" || path.starts_with("/v1/chat/") => Role::Chat,
            _ => Role::Api,
        };
        assert_eq!(item["servers"], json!([listeners::server(role)]), "{path}");
    }
}

/// Calls `see` with every schema of the components and in them, named by where it is.
fn walk(at: &str, schema: &Value, see: &mut impl FnMut(&str, &Value)) {
    see(at, schema);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{at}.{name}"), inner, see);
    }
    for list in ["oneOf", "allOf", "anyOf"] {
        for inner in schema[list].as_array().into_iter().flatten() {
            walk(at, inner, see);
        }
    }
    if let Some(items) = schema.get("items") {
        walk(&format!("{at}[]"), items, see);
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    assert!(document.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to}");
                }
                fields.values().for_each(|inner| check(document, inner));
            }
            Value::Array(items) => items.iter().for_each(|inner| check(document, inner)),
            _ => {}
        }
    }
    let document = document();
    check(&document, &document);
}

/// An object without a name is another type wherever it stands.
#[tokio::test]
async fn every_object_has_a_name_and_a_page_is_one_of_its_rows() {
    let (document, mut pages) = (document(), 0);
    each(&document, |name, operation| {
        for (of, body) in bodies(operation) {
            for (media_type, content) in contents(body) {
                let schema = &content["schema"];
                let rows = schema.get("items").unwrap_or(schema);
                let has_name = reference(rows).is_some() || types(rows) == ["string"];
                assert!(has_name, "{name}: {of} {media_type} has no name: {schema}");
            }
        }
    });
    for (name, schema) in schemas(&document) {
        let is_page = schema["properties"].get("next_cursor").is_some();
        assert_eq!(is_page, name.ends_with("Page"), "{name}");
        if is_page {
            pages += 1;
            let row = reference(&schema["properties"]["items"]["items"]);
            assert_eq!(Some(name.as_str()), row.map(|row| format!("{row}Page")).as_deref());
        }
        walk(name, schema, &mut |at, inner| {
            let is_nameless = at != name && types(inner).contains(&"object");
            assert!(!is_nameless, "{at} is an object without a name");
        });
    }
    assert!(pages > 10, "{pages}");
}

/// Services are merged by name, and of two schemas with one name, one is silently lost.
#[test]
fn no_two_schemas_have_one_name() {
    let mut names = BTreeMap::new();
    for (path, source) in sources() {
        for name in derived(&source) {
            let known = names.insert(name.clone(), path.clone());
            assert!(known.is_none(), "{name}: in {path:?} and in {known:?}");
        }
    }
    assert!(names.len() > 50 && names.contains_key("BattleState"), "{names:?}");
}

/// The sources of all services.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                found.push((path, source));
            }
        }
    }
    found
}

/// The names of schemas that are derived in a file, or words of the vocabulary.
fn derived(source: &str) -> Vec<String> {
    let (mut names, mut is_schema, mut is_words, mut alias) = (Vec::new(), false, false, None);
    for line in source.lines().map(str::trim) {
        let word_after = |what: &str| {
            let (_, rest) = line.split_once(what)?;
            rest.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned)
        };
        if is_words && !line.starts_with("///") {
            names.extend(line.strip_suffix(" {").map(str::to_owned));
            is_words = false;
        } else if line == "words! {" {
            is_words = true;
        } else if line.contains("shown as \"") {
            names.extend(word_after("shown as \""));
        } else if line.starts_with("#[derive(") {
            is_schema = line.contains("ToSchema");
        } else if line.starts_with("#[schema(") {
            alias = alias.or_else(|| word_after("as = "));
        } else if let Some(name) = word_after("struct ").or_else(|| word_after("enum ")) {
            if is_schema && !name.is_empty() && !line.starts_with("//") {
                names.push(alias.take().unwrap_or(name));
            }
            (is_schema, alias) = (false, None);
        }
    }
    names
}

/// The words of a schema, if it is of some.
fn words(schemas: &Map<String, Value>, schema: &Value) -> Option<BTreeSet<String>> {
    if let Some(name) = reference(schema) {
        return words(schemas, &schemas[name]);
    }
    if let Some(one) = schema["oneOf"].as_array() {
        return one.iter().find_map(|one| words(schemas, one));
    }
    let all = schema["enum"].as_array()?;
    Some(all.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Columns of which the database takes some words only, and these, by table.
async fn bounded_columns(db: &PgPool) -> BTreeMap<String, Vec<BTreeSet<String>>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select attname::text, pg_get_constraintdef(c.oid) from pg_constraint c
             join pg_attribute on attrelid = conrelid and attnum = conkey[1]
         where contype = 'c' and cardinality(conkey) = 1
             and pg_get_constraintdef(c.oid) like '%ANY (ARRAY[''%'",
    )
    .fetch_all(db)
    .await
    .unwrap();
    let mut columns: BTreeMap<String, Vec<BTreeSet<String>>> = BTreeMap::new();
    for (column, check) in rows {
        let words = check.split('\'').skip(1).step_by(2).map(str::to_owned).collect();
        columns.entry(column).or_default().push(words);
    }
    columns
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_the_database_bounds_to_words_is_an_enum(db: PgPool) {
    let (document, columns) = (document(), bounded_columns(&db).await);
    assert!(
        ["state", "kind", "scope"].iter().all(|name| columns.contains_key(*name)),
        "{columns:?}"
    );
    let (schemas, mut known) = (schemas(&document), BTreeSet::new());
    for (name, schema) in schemas {
        known.extend(words(schemas, schema));
        walk(name, schema, &mut |at, inner| {
            let column = at.rsplit('.').next().unwrap();
            let Some(sets) = columns.get(column).filter(|_| at.contains('.')) else { return };
            // The second visit of an optional field, which is null or refers to its words.
            if inner["type"] == "null" {
                return;
            }
            let all: BTreeSet<String> = sets.iter().flatten().cloned().collect();
            let said = words(schemas, inner);
            let fits = said.as_ref().is_some_and(|said| said.is_subset(&all));
            assert!(fits, "{at} is one of {all:?}, and the document says {said:?}");
        });
    }
    each(&document, |name, operation| {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (at, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let is_free = columns.contains_key(at) && words(schemas, schema).is_none();
            assert!(!is_free, "{name}: {at} is one of {:?}", columns[at]);
        }
    });
    for (column, sets) in &columns {
        for set in sets {
            assert!(known.contains(set), "no enum has exactly the words of {column}: {set:?}");
        }
    }
}

/// Of words that versions share the database takes every one; what is shown as one is the same enum
/// everywhere.
#[tokio::test]
async fn words_that_versions_share_are_their_enum() {
    let document = document();
    let schemas = schemas(&document);
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let modes: Vec<&str> = GameMode::names().collect();
    let ends: Vec<&str> = EndedBy::names().collect();
    let shared = BTreeMap::from([("mode", set(&modes)), ("ended_by", set(&ends))]);
    let mut seen = BTreeSet::new();
    for (name, schema) in schemas {
        walk(name, schema, &mut |at, inner| {
            let Some(all) = shared.get(at.rsplit('.').next().unwrap()) else { return };
            if at.contains('.') && inner["type"] != "null" {
                assert_eq!(words(schemas, inner).as_ref(), Some(all), "{at}");
                seen.insert(at.to_owned());
            }
        });
    }
    assert!(seen.len() > 8, "{seen:?}");
    let boards = words(schemas, &schemas["LeaderboardName"]).unwrap();
    assert!(modes.iter().all(|mode| boards.contains(*mode)), "{boards:?}");
}

#[tokio::test]
async fn every_body_has_an_example_that_it_allows() {
    let document = document();
    let schemas = schemas(&document);
    each(&document, |name, operation| {
        for (of, body) in bodies(operation) {
            for (media_type, content) in contents(body) {
                let is_error = of.starts_with(['4', '5']);
                match (media_type.as_str(), is_error) {
                    ("application/json", false) => {
                        let example = &content["example"];
                        let wrong = fault(schemas, &content["schema"], example);
                        assert_eq!(wrong, None, "{name}: {of}: {example}");
                    }
                    ("application/json", true) => {
                        let examples = content["examples"].as_object().unwrap();
                        assert!(!examples.is_empty(), "{name}: {of}");
                    }
                    ("text/event-stream", false) => {
                        assert!(content["example"].as_str().unwrap().contains("event: "), "{name}");
                    }
                    // Of pictures, an example would be rubbish.
                    ("image/png" | "image/jpeg", false) => {}
                    _ => panic!("{name}: {of} is {media_type}"),
                }
            }
        }
    });
    let error = json!({ "$ref": "#/components/schemas/ErrorBody" });
    for (code, example) in document["components"]["examples"].as_object().unwrap() {
        assert_eq!(example["value"]["error"]["code"], code.as_str());
        assert_eq!(fault(schemas, &error, &example["value"]), None, "{code}");
    }
}

#[tokio::test]
async fn nothing_that_examples_need_is_missing_and_nothing_is_told_in_vain() {
    let mut document = document();
    each(&document.clone(), |name, _| {
        let (method, path) = name.split_once(' ').unwrap();
        let operation = &mut document["paths"][path][method.to_lowercase()];
        for body in ["/requestBody", "/responses"] {
            operation.pointer_mut(body).into_iter().for_each(without_examples);
        }
    });
    let made = examples::add(&mut document);
    assert_eq!(made.missing, BTreeSet::new(), "examples.json has no value for these fields");
    assert_eq!(examples::unused(&made), Vec::<String>::new(), "examples.json: of no use");
    let Made { unnamed, .. } = made;
    assert_eq!(unnamed, BTreeSet::new(), "refusals whose description names no code");
}

fn without_examples(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("schema") {
                fields.remove("example");
            }
            fields.values_mut().for_each(without_examples);
        }
        Value::Array(items) => items.iter_mut().for_each(without_examples),
        _ => {}
    }
}

#[tokio::test]
async fn every_refusal_has_a_code_that_services_know() {
    let (document, mut codes) = (document(), BTreeSet::new());
    each(&document, |name, operation| {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            if status.starts_with(['4', '5']) {
                let schema = &answer["content"]["application/json"]["schema"];
                assert_eq!(reference(schema), Some("ErrorBody"), "{name}: {status}");
                codes.extend(codes_of(status, answer["description"].as_str().unwrap()));
            }
        }
    });
    let sources = sources();
    // That a description names it is not enough.
    let is_known = |code: &&String| {
        let quoted = format!("\"{code}\"");
        let mut lines = sources.iter().flat_map(|(_, source)| source.lines());
        lines.any(|line| line.contains(&quoted) && !line.contains("description = "))
    };
    let unknown: Vec<&String> = codes.iter().filter(|code| !is_known(code)).collect();
    assert!(unknown.is_empty(), "no service refuses with {unknown:?}");
    let details = &schemas(&document)["ErrorDetails"];
    for (code, fields) in sortie_control::details::FIELDS {
        assert!(codes.contains(*code), "{code} has details, and no operation names it");
        assert_eq!(details["x-fields-by-code"][code], json!(fields));
    }
}
