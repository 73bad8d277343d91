//! Examples of all bodies, put together from `examples.json`: one small world, in which Ada waits
//! for a battle and Eve is banned, so that the answer of one call fits into the next.
//!
//! The file names values by field (`player_id`), by field of a schema (`Session.agent`), by field
//! of an error's details (`battle.lost.state`) or by schema (`Export`). The more precise name wins,
//! then an example that the field itself has; a value that a field cannot have is passed over. A
//! field that is told `null` and need not be there is left out. Whatever no name is there for is
//! [`Made::missing`], and a test does not let that be.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sortie_control::details;
use sortie_control::query::UNEXPECTED_BODY;

const TOLD: &str = include_str!("examples.json");

/// What is said of errors that no service gives, by status: listeners, extractors and the database.
const COMMON: [(&str, &str); 8] = [
    ("401", "auth.missing"),
    ("408", "request.too_slow"),
    ("413", "request.too_large"),
    ("415", "request.media_type"),
    ("422", "request.fields"),
    ("429", "request.rate_limited"),
    ("500", "internal"),
    ("503", "store.unavailable"),
];

/// How the examples were made.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Fields that no value is told for, as `Schema.field`.
    pub missing: BTreeSet<String>,
    /// Names of the file that were of use.
    pub used: BTreeSet<String>,
    /// Refusals that name no code: `METHOD PATH STATUS`.
    pub unnamed: BTreeSet<String>,
}

/// Adds an example to each body that has none.
pub(super) fn add(document: &mut Value) -> Made {
    let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    let mut maker = Maker { schemas: &schemas, told: told(), made: Made::default() };
    let mut codes = BTreeSet::new();
    for (method, path, operation) in super::operations(document) {
        if let Some(body) = operation.get_mut("requestBody") {
            contents(body).for_each(|(_, content)| maker.add(content));
        }
        let unreadable = unreadable(operation);
        let answers = operation["responses"].as_object_mut().into_iter().flatten();
        for (status, answer) in answers {
            if !status.starts_with(['4', '5']) {
                contents(answer).for_each(|(_, content)| maker.add(content));
                continue;
            }
            let mut named = codes_of(status, answer["description"].as_str().unwrap_or_default());
            if status == "400" && named.is_empty() {
                named.clone_from(&unreadable);
            }
            if named.is_empty() {
                maker.made.unnamed.insert(format!("{} {path} {status}", method.to_uppercase()));
            }
            let refer = |code: &String| {
                (code.clone(), json!({ "$ref": format!("#/components/examples/{code}") }))
            };
            let examples: Map<String, Value> = named.iter().map(refer).collect();
            contents(answer).for_each(|(_, content)| content["examples"] = json!(examples));
            codes.extend(named);
        }
    }
    let errors: Map<String, Value> =
        codes.into_iter().map(|code| (code.clone(), maker.error(&code))).collect();
    let made = maker.made;
    document["components"]["examples"] = Value::Object(errors);
    made
}

fn told() -> Map<String, Value> {
    serde_json::from_str(TOLD).expect("examples.json is an object")
}

/// The JSON contents of a body.
fn contents(body: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    let all = body.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten();
    all.filter(|(media_type, _)| media_type.as_str() == "application/json")
}

/// The codes that an answer's description names; else that of all answers of its status.
pub(super) fn codes_of(status: &str, description: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || "_.*".contains(letter);
    let words = description.split(|letter| !is_part(letter)).map(|word| word.trim_matches('.'));
    let is_code = |word: &&str| word.contains('.') && !word.contains('*');
    let named: BTreeSet<String> = words.filter(is_code).map(str::to_owned).collect();
    let common = COMMON.iter().filter(|(of, _)| *of == status).map(|(_, code)| (*code).to_owned());
    if named.is_empty() { common.collect() } else { named }
}

/// The codes of what cannot be read of a call, by what it has. Every call may have a name that is
/// not known, or a body that it should not have.
fn unreadable(operation: &Value) -> BTreeSet<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let places = parameters.filter_map(|one| one["in"].as_str());
    let places = places.filter(|place| ["path", "query"].contains(place));
    let mut codes: BTreeSet<String> = places.map(|place| format!("request.{place}")).collect();
    codes.insert("request.unknown_name".to_owned());
    codes.insert(match operation["requestBody"]["content"].as_object() {
        Some(contents) if contents.contains_key("application/json") => "request.json".to_owned(),
        Some(_) => "request.body".to_owned(),
        None => UNEXPECTED_BODY.to_owned(),
    });
    codes
}

struct Maker<'a> {
    schemas: &'a Map<String, Value>,
    told: Map<String, Value>,
    made: Made,
}

impl Maker<'_> {
    fn add(&mut self, content: &mut Value) {
        if content.get("example").is_none() {
            content["example"] = self.of("body", &content["schema"].clone());
        }
    }

    /// An error with this code.
    fn error(&mut self, code: &str) -> Value {
        let fields = details::FIELDS.iter().find(|(known, _)| *known == code);
        let mut details = Value::Null;
        for name in fields.map_or(&[][..], |(_, fields)| fields) {
            let schema = self.schemas["ErrorDetails"]["properties"][name].clone();
            details[name] = self.field(code, name, &schema);
        }
        let reason = code.rsplit('.').next().unwrap_or_default().replace('_', " ");
        let request_id = self.told.get("request_id").cloned();
        json!({ "value": { "error": {
            "code": code,
            "message": format!("for people: {reason}"),
            "details": details,
            "request_id": request_id,
        }}})
    }

    fn tell(&mut self, name: &str) -> Option<Value> {
        let value = self.told.get(name)?.clone();
        self.made.used.insert(name.to_owned());
        Some(value)
    }

    /// A value of a schema by name.
    fn named(&mut self, name: &str) -> Value {
        match self.tell(name) {
            Some(value) => value,
            None => self.of(name, &self.schemas.get(name).cloned().unwrap_or_default()),
        }
    }

    /// A value of a field.
    fn field(&mut self, of: &str, name: &str, schema: &Value) -> Value {
        let whole = format!("{of}.{name}");
        if let Some(value) = self.tell(&whole) {
            return value;
        }
        let shows_its_own = ["example", "examples"].iter().any(|own| schema.get(own).is_some());
        if shows_its_own {
            return self.of(&whole, schema);
        }
        if self.told.get(name).is_some_and(|value| fault(self.schemas, schema, value).is_none()) {
            return self.tell(name).unwrap_or_default();
        }
        self.of(&whole, schema)
    }

    /// A value of a schema that stands at `at`.
    fn of(&mut self, at: &str, schema: &Value) -> Value {
        if let Some(name) = reference(schema) {
            return self.named(name);
        }
        for known in ["example", "const"] {
            if let Some(value) = schema.get(known) {
                return value.clone();
            }
        }
        for list in ["examples", "enum"] {
            if let Some(value) = schema[list].get(0) {
                return value.clone();
            }
        }
        if let Some(one) = schema["oneOf"].as_array() {
            let is_value = |one: &&Value| one["type"] != "null";
            return one.iter().find(is_value).map_or(Value::Null, |one| self.of(at, one));
        }
        if let Some(all) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in all {
                if let Value::Object(part) = self.of(at, part) {
                    whole.extend(part);
                }
            }
            return Value::Object(whole);
        }
        match (types(schema).first().copied(), schema["format"].as_str()) {
            (Some("object"), _) => self.object(at, schema),
            (Some("array"), _) => json!([self.of(at, &schema["items"])]),
            (Some("boolean"), _) => json!(false),
            (Some("string"), Some("date-time")) => json!("2026-11-21T12:00:00Z"),
            (kind, _) => self.tell(at).unwrap_or_else(|| {
                self.made.missing.insert(at.to_owned());
                if kind == Some("string") { json!("") } else { json!(0) }
            }),
        }
    }

    fn object(&mut self, at: &str, schema: &Value) -> Value {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut fields = Map::new();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let value = self.field(at, name, inner);
            if !value.is_null() || required.iter().any(|required| required == name) {
                fields.insert(name.clone(), value);
            }
        }
        Value::Object(fields)
    }
}

/// The schema that a schema only refers to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// The types that a value may have, null left out.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    types.into_iter().filter(|kind| *kind != "null").collect()
}

/// What a schema does not allow of a value; `None`: it may be.
pub(super) fn fault(schemas: &Map<String, Value>, schema: &Value, value: &Value) -> Option<String> {
    if let Some(name) = reference(schema) {
        return match schemas.get(name) {
            Some(schema) => fault(schemas, schema, value),
            None => Some(format!("there is no schema {name}")),
        };
    }
    if let Some(one) = schema["oneOf"].as_array() {
        let fits = one.iter().filter(|one| fault(schemas, one, value).is_none()).count();
        return (fits != 1).then(|| format!("{value} fits {fits} of oneOf"));
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().find_map(|part| fault(schemas, part, value));
    }
    if let Some(known) = schema["enum"].as_array() {
        return (!known.contains(value)).then(|| format!("{value} is none of {known:?}"));
    }
    schema.get("type")?;
    let may_be_null = schema["type"].as_array().is_some_and(|all| all.contains(&json!("null")))
        || schema["type"] == "null";
    let wrong = || Some(format!("{value} is no {}", schema["type"]));
    let is_type = |kind: &str| types(schema).contains(&kind);
    match value {
        Value::Null => {
            if may_be_null {
                None
            } else {
                wrong()
            }
        }
        Value::Bool(_) => {
            if is_type("boolean") {
                None
            } else {
                wrong()
            }
        }
        Value::Number(number) => {
            let is_whole = number.is_i64() || number.is_u64();
            if !(is_type("number") || is_whole && is_type("integer")) {
                return wrong();
            }
            let (value, bound) =
                (number.as_f64().unwrap_or_default(), |name: &str| schema[name].as_f64());
            let is_low = bound("minimum").is_some_and(|least| value < least);
            let is_high = bound("maximum").is_some_and(|most| value > most);
            (is_low || is_high).then(|| format!("{value} is out of bounds"))
        }
        Value::String(text) => {
            if !is_type("string") {
                return wrong();
            }
            let chars = text.chars().count() as u64;
            let bound = |name: &str| schema[name].as_u64();
            let is_short = bound("minLength").is_some_and(|least| chars < least);
            let is_long = bound("maxLength").is_some_and(|most| chars > most);
            let is_id = schema["format"] != "uuid" || uuid::Uuid::try_parse(text).is_ok();
            let is_time = schema["format"] != "date-time" || text.contains('T');
            (is_short || is_long || !is_id || !is_time).then(|| format!("'{text}' cannot be"))
        }
        Value::Array(items) => {
            if !is_type("array") {
                return wrong();
            }
            items.iter().find_map(|item| fault(schemas, &schema["items"], item))
        }
        Value::Object(fields) => {
            if !is_type("object") {
                return wrong();
            }
            let required = schema["required"].as_array().into_iter().flatten();
            let is_missing =
                |name: &&Value| !fields.contains_key(name.as_str().unwrap_or_default());
            if let Some(name) = required.into_iter().find(is_missing) {
                return Some(format!("{name} is missing"));
            }
            let known = schema["properties"].as_object()?;
            fields.iter().find_map(|(name, value)| match known.get(name) {
                Some(schema) => {
                    fault(schemas, schema, value).map(|fault| format!("{name}: {fault}"))
                }
                None => None,
            })
        }
    }
}

/// Names of the file that are of no use.
#[cfg(test)]
pub(super) fn unused(made: &Made) -> Vec<String> {
    told().into_iter().map(|(name, _)| name).filter(|name| !made.used.contains(name)).collect()
}
