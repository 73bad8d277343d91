//! What operators see of calls: rate, errors and duration by route, and a line in the log for each.
//!
//! Labels are bounded: methods that we know, routes as they are written
//! (`/v1/battles/{battle_id}`), numbers of statuses. What matches no route is `other`; no id, no
//! address and nothing that a caller typed is a label, or in a line of the log.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use crate::request;

/// Whatever matches no route.
const OTHER: &str = "other";

/// Middleware of REST listeners: counts and times a call, and logs it. Inside of
/// [`request::give_id`], outside of everything that may refuse.
pub(crate) async fn watch_call(request: Request, next: Next) -> Response {
    let open = metrics::gauge!("sortie_http_requests_open");
    open.increment(1.0);
    let began = Instant::now();
    let method = method_of(request.method());
    let route = route_of(&request);
    // Dropped, the call is not open any more, however it ends.
    let _open = Open(open);
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    metrics::counter!("sortie_http_requests_total", "method" => method, "route" => route.clone(),
        "status" => status.to_string())
    .increment(1);
    metrics::histogram!("sortie_http_request_seconds", "method" => method, "route" => route.clone())
        .record(took.as_secs_f64());
    let took_ms = took.as_secs_f64() * 1e3;
    tracing::info!(target: "sortie_access", request_id = %request::id(), method, route, status,
        took_ms, "a call");
    response
}

struct Open(metrics::Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn method_of(method: &Method) -> &'static str {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    let names = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.iter().position(|one| one == method).map_or(OTHER, |at| names[at])
}

fn route_of(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or(OTHER, MatchedPath::as_str).to_owned()
}

/// Middleware of gRPC listeners. What is known of a call when its answer begins is counted: a
/// stream's end is not waited for.
pub(crate) async fn watch_rpc(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let service = route_of(&request);
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let header = response.headers().get("grpc-status").and_then(|value| value.to_str().ok());
    let code = header.and_then(|code| code.parse::<u8>().ok()).filter(|code| *code <= 16);
    let code = code.unwrap_or(0);
    let method = rpc_of(&service, &path, code);
    let took = began.elapsed();
    metrics::counter!("sortie_grpc_calls_total", "method" => method.clone(),
        "code" => code.to_string())
    .increment(1);
    metrics::histogram!("sortie_grpc_call_seconds", "method" => method.clone())
        .record(took.as_secs_f64());
    let took_ms = took.as_secs_f64() * 1e3;
    tracing::info!(target: "sortie_access", method, code, took_ms, "a gRPC call");
    response
}

/// A method's path. Of calls that were refused before anybody looked for the method, only the
/// service is known: 8 is too many wrong secrets, 12 no such method, 16 no credential.
fn rpc_of(service: &str, path: &str, code: u8) -> String {
    let is_ours = service != OTHER && service != "/{*rest}" && service.len() > 1;
    match code {
        _ if !is_ours => OTHER.to_owned(),
        8 | 12 | 16 => service.split("/{").next().unwrap_or(OTHER).to_owned() + "/*",
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_and_routes_are_bounded() {
        assert_eq!(method_of(&Method::DELETE), "DELETE");
        assert_eq!(method_of(&Method::from_bytes(b"CANARY").unwrap()), OTHER);
        let service = "/sortie.fleet.v1.Fleet/{*rest}";
        let rpc = |path, code| rpc_of(service, path, code);
        assert_eq!(rpc("/sortie.fleet.v1.Fleet/Drain", 0), "/sortie.fleet.v1.Fleet/Drain");
        for code in [8, 12, 16] {
            assert_eq!(rpc("/sortie.fleet.v1.Fleet/Canary", code), "/sortie.fleet.v1.Fleet/*");
        }
        assert_eq!(rpc_of(OTHER, "/canary", 12), OTHER);
    }
}
