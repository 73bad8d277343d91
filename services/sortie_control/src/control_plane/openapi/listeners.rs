//! Where each path is served: REST, chat and what staff do have listeners of their own.
//!
//! A document that is the same everywhere cannot know an installation's addresses. It says which
//! listener a path has, with the address of a node that was told none; whoever makes a client puts
//! another in the variables.

use utoipa::openapi::{OpenApi, Server, ServerBuilder, ServerVariableBuilder};

use crate::control_plane::listeners::Listener;
use crate::control_plane::services::Role;

/// Says of each path that a role serves it.
pub(crate) fn add(document: &mut OpenApi, role: Role) {
    for item in document.paths.paths.values_mut() {
        item.servers = Some(vec![server(role)]);
    }
}

/// A role's listener.
pub(crate) fn server(role: Role) -> Server {
    let listener = Listener::of_routes(role);
    let (about, flag, port) = (listener.about, listener.flag, listener.default_addr().port());
    let variables = [
        ("scheme", "http".to_owned(), "`https` behind a proxy with TLS"),
        ("host", "127.0.0.1".to_owned(), "Where the node, or the proxy in front of it, is"),
        ("port", port.to_string(), "The listener's"),
    ];
    let mut server = ServerBuilder::new()
        .url("{scheme}://{host}:{port}")
        .description(Some(format!("{about} (`{flag}` of `sortie-control serve`)")));
    for (name, value, about) in variables {
        let variable = ServerVariableBuilder::new().default_value(value).description(Some(about));
        server = server.parameter(name, variable);
    }
    server.build()
}
