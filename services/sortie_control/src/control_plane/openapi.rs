//! One OpenAPI document of all services: `GET /v1/openapi.json`, `sortie-control openapi`, and
//! `docs/openapi.json`, which a test compares.
//!
//! Services describe their routes where they are ([`services`](super::services)); what holds for
//! all of them is added here, a file for each: how any call may be refused ([`answers`]), where it
//! is served ([`listeners`]), names of pages ([`pages`]), examples ([`examples`]). What makers of
//! clients may rely on is in `rules`, as tests over the whole document.

mod answers;
mod examples;
pub(crate) mod listeners;
mod pages;
#[cfg(test)]
mod rules;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use serde_json::{Value, json};
use sortie_control::app::AppState;
use sortie_control::bus::Bus;
use sortie_control::details;
use sortie_control::service;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
};

use super::services::{Role, Settings, of_roles};

/// The document.
///
/// # Panics
/// Outside of a tokio runtime.
pub(crate) fn document() -> Value {
    let db = sqlx::postgres::PgPoolOptions::new()
        .connect_lazy("postgres://nobody@localhost/nothing")
        .expect("a URL of ours can be read");
    let keys = sortie_control::access::AccessKeys::generate();
    let app = AppState::new(db, Bus::local(), keys);
    let (_stopper, stop) = service::stop();
    let mut all = empty();
    for (role, services) in of_roles(&app, &Settings::default(), &Role::ALL, &stop) {
        for service in services {
            let (_, mut document) = service.routes.split_for_parts();
            listeners::add(&mut document, role);
            all.merge(document);
        }
    }
    answers::add(&mut all);
    // As a value from here on, whose maps are ordered: those of extensions are not.
    let mut all = serde_json::to_value(all).expect("the document serialises");
    pages::name(&mut all);
    all["components"]["schemas"]["ErrorDetails"]["x-fields-by-code"] =
        details::FIELDS.iter().map(|(code, fields)| ((*code).to_owned(), json!(fields))).collect();
    examples::add(&mut all);
    all
}

fn empty() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Sortie")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The control plane of Sortie. Errors have one shape and stable codes; pages have \
             opaque cursors; times are RFC 3339. A name that a call does not know, in its query or \
             its body, is refused (400 `request.unknown_name`), and so is a body where none is \
             described (400 `request.unexpected_body`). Routes under /v1/admin are on a listener \
             of their own, chat on another: each path has its servers.",
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
        .servers(Some([listeners::server(Role::Api)]))
        .components(Some(components))
        .build()
}

/// As it is printed, served and committed.
///
/// # Panics
/// Outside of a tokio runtime.
pub(crate) fn text() -> String {
    serde_json::to_string_pretty(&document()).expect("a value serialises") + "\n"
}

/// Every operation of the document: method, path, itself.
pub(crate) fn operations(
    document: &mut Value,
) -> impl Iterator<Item = (&String, &String, &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object_mut().into_iter().flatten();
        methods
            .filter(|(name, _)| METHODS.contains(&name.as_str()))
            .map(move |(name, found)| (name, path, found))
    })
}

/// What a path may have besides: servers, parameters.
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// `GET /v1/openapi.json`
pub(crate) fn route() -> Router {
    // Shared by all answers: a client that reads slowly holds no text of its own.
    let text = Bytes::from(text());
    let answer = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    Router::new().route("/v1/openapi.json", get(answer))
}
