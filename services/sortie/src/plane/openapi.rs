//! One OpenAPI document of all services: `GET /v1/openapi.json`, `sortie openapi`, and
//! `docs/openapi.json`, which a test compares.

use sortie_control::bus::Bus;
use sortie_control::plane::Plane;
use sortie_control::service;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, ServerBuilder,
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
    name_operations(&mut all);
    all
}

/// Each operation by its method and path: handlers of several services have the same names.
fn name_operations(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let path: String = path
            .trim_start_matches("/v1")
            .chars()
            .filter(|c| !matches!(c, '{' | '}'))
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let methods = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}{path}"));
            }
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
            "docs/openapi.json is old; make it anew: sortie openapi >docs/openapi.json"
        );
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
            }
        }
    }
}
