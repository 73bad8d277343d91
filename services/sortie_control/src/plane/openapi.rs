//! One OpenAPI document of all services: `GET /v1/openapi.json`, `sortie-control openapi`, and
//! `docs/openapi.json`, which a test compares.

use sortie_control::bus::Bus;
use sortie_control::plane::Plane;
use sortie_control::service;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContactBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, ResponseBuilder, ServerBuilder,
};

use super::services::{Role, Settings, of_roles};

/// The document.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn document() -> OpenApi {
    let db = sqlx::postgres::PgPoolOptions::new()
        .connect_lazy("postgres://nobody@localhost/nothing")
        .expect("a URL of ours can be read");
    let keys = sortie_control::access::AccessKeys::generate();
    let plane = Plane::new(db, Bus::local(), keys);
    let (_stopper, stop) = service::stop();
    let mut all = empty();
    for service in of_roles(&plane, &Settings::default(), &Role::ALL, &stop).into_values().flatten()
    {
        let (_, document) = service.routes.split_for_parts();
        all.merge(document);
    }
    complete(&mut all);
    all
}

/// Completes each operation with what holds for all of them, so that no service has to repeat it.
fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let methods = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                operation.operation_id = Some(name(method, path));
                // Said outright: open to everybody.
                operation.security.get_or_insert_default();
                add_answers(operation);
            }
        }
    }
}

/// By method and path: handlers of several services have the same names.
fn name(method: &str, path: &str) -> String {
    let path: String = path
        .trim_start_matches("/v1")
        .chars()
        .filter(|c| !matches!(c, '{' | '}'))
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!("{method}{path}")
}

/// Listeners and extractors refuse before handlers see a call.
fn add_answers(operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let has_json = operation.request_body.as_ref().is_some_and(|body| match body {
        RefOr::T(body) => body.content.contains_key("application/json"),
        RefOr::Ref(_) => true,
    });
    let has_parameters = operation.parameters.as_ref().is_some_and(|all| !all.is_empty());
    let is_closed = operation.security.as_ref().is_some_and(|all| !all.is_empty());
    let answers = [
        (has_body || has_parameters, 400, "A parameter or the body cannot be read"),
        (is_closed, 401, "No access token, or a bad one"),
        (has_body, 408, "The body did not come in time"),
        (has_body, 413, "The body is too long"),
        (has_json, 415, "The body is not said to be JSON"),
        (has_json, 422, "Fields are missing or wrong"),
        (true, 429, "Too many calls; Retry-After says how long to wait"),
        (true, 500, "A mistake of ours; the request id names it in our logs"),
        (true, 503, "Something that is needed is away; try again soon"),
    ];
    let known = &mut operation.responses.responses;
    for (_, status, description) in answers.into_iter().filter(|(applies, ..)| *applies) {
        known.entry(status.to_string()).or_insert_with(|| {
            let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
            let answer = ResponseBuilder::new().description(description);
            RefOr::T(answer.content("application/json", body).build())
        });
    }
    for (status, answer) in known {
        let RefOr::T(answer) = answer else { continue };
        if answer.description.is_empty() {
            answer.description = match status.as_str() {
                "201" => "It was made",
                "202" => "It was taken on, and will be done",
                "204" => "It was done",
                _ => "The answer",
            }
            .to_owned();
        }
    }
}

fn empty() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Sortie")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The control plane of Sortie. Errors have one shape and stable codes; pages have \
             opaque cursors; times are RFC 3339. Routes under /v1/admin are on a listener of \
             their own, chat on another.",
        ))
        .contact(Some(ContactBuilder::new().name(Some("Sortie")).build()))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token that login and refresh give."))
        .build();
    let mut components = Components::new();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .components(Some(components))
        .build()
}

/// As it is printed, served and committed.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn text() -> String {
    // As a value first, whose maps are ordered: those of extensions are not.
    let document = serde_json::to_value(document()).expect("the document serialises");
    serde_json::to_string_pretty(&document).expect("a value serialises") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_committed_document_is_what_the_services_say() {
        let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let committed = std::fs::read_to_string(committed).unwrap_or_default();
        assert!(
            committed == text(),
            "docs/openapi.json is old; make it anew: sortie-control openapi >docs/openapi.json"
        );
    }

    /// Services are merged by name, and of two schemas with one name, one is silently lost.
    #[test]
    fn no_two_schemas_have_one_name() {
        let mut names = std::collections::BTreeMap::new();
        let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let source = std::fs::read_to_string(&path).unwrap();
                    for name in schemas(&source) {
                        let known = names.insert(name.clone(), path.clone());
                        assert!(known.is_none(), "{name}: in {path:?} and in {known:?}");
                    }
                }
            }
        }
        assert!(names.len() > 50, "{names:?}");
    }

    /// The names of schemas that are derived in a file.
    fn schemas(source: &str) -> Vec<String> {
        let (mut names, mut is_schema, mut alias) = (Vec::new(), false, None);
        for line in source.lines().map(str::trim) {
            let word_after = |what: &str| {
                let (_, rest) = line.split_once(what)?;
                rest.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned)
            };
            if line.starts_with("#[derive(") {
                is_schema = line.contains("ToSchema");
            } else if line.starts_with("#[schema(") {
                alias = alias.or_else(|| word_after("as = "));
            } else if let Some(name) = word_after("struct ").or_else(|| word_after("enum ")) {
                if is_schema && !line.starts_with("//") {
                    names.push(alias.take().unwrap_or(name));
                }
                (is_schema, alias) = (false, None);
            }
        }
        names
    }

    #[tokio::test]
    async fn every_operation_has_a_tag_a_summary_and_an_id_of_its_own() {
        let document = serde_json::to_value(document()).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            assert!(path.starts_with("/v1/"), "{path}");
            for (method, operation) in methods.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap_or_default();
                assert!(ids.insert(id.to_owned()), "{method} {path}: '{id}' is there twice");
                assert!(operation["tags"][0].is_string(), "{method} {path} has no tag");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                for (status, answer) in operation["responses"].as_object().unwrap() {
                    let is_said = answer["description"].is_string();
                    assert!(is_said, "{method} {path}: {status} has no description");
                }
            }
        }
    }
}
