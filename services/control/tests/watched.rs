//! What operators see of calls, over a real listener.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use sortie_control::bus::Bus;
use sortie_control::helps;
use sortie_control::http::{HttpOptions, serve};
use sortie_control::service::stop;
use sortie_kit::metrics::recorder;

fn call(at: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_counted_and_timed_by_route_and_status_and_nothing_else() {
    let recorder = recorder().unwrap();
    helps::describe();
    let router = Router::new()
        .route("/v1/things/{thing_id}", get(|| async { "a thing" }))
        .route("/v1/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stopper, mut stop) = stop();
    let stopped = async move { stop.asked().await };
    let served = serve(listener, router, Bus::local(), HttpOptions::default(), stopped);
    let serving = tokio::spawn(served);
    let calls = tokio::task::spawn_blocking(move || {
        for number in 0..20 {
            let answer = call(at, "GET", &format!("/v1/things/canary-{number}?name=canary"));
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        assert!(call(at, "GET", "/v1/broken").starts_with("HTTP/1.1 500"));
        assert!(call(at, "GET", "/canary/nowhere").starts_with("HTTP/1.1 404"));
        assert!(call(at, "PUT", "/v1/things/canary").starts_with("HTTP/1.1 405"));
        assert!(call(at, "CANARY", "/v1/broken").starts_with("HTTP/1.1 405"));
    });
    calls.await.unwrap();
    stopper.stop();
    serving.await.unwrap();
    let shown = recorder.render();
    let lines = |name: &str| {
        let mut lines: Vec<&str> = shown.lines().filter(|line| line.starts_with(name)).collect();
        lines.sort_unstable();
        lines
    };
    let requests = lines("sortie_http_requests_total{");
    let of = |method: &str, route: &str, status: u16, count: u32| {
        let labels = [
            format!("method=\"{method}\""),
            format!("route=\"{route}\""),
            format!("status=\"{status}\""),
        ];
        requests.iter().any(|line| {
            labels.iter().all(|label| line.contains(label)) && line.ends_with(&format!(" {count}"))
        })
    };
    assert!(of("GET", "/v1/things/{thing_id}", 200, 20), "{requests:#?}");
    assert!(of("GET", "/v1/broken", 500, 1), "{requests:#?}");
    assert!(of("GET", "other", 404, 1), "{requests:#?}");
    assert!(of("PUT", "/v1/things/{thing_id}", 405, 1), "{requests:#?}");
    assert!(of("other", "/v1/broken", 405, 1), "{requests:#?}");
    assert_eq!(requests.len(), 5, "{requests:#?}");
    let times = lines("sortie_http_request_seconds_count{");
    assert_eq!(times.len(), 5, "{times:#?}");
    assert_eq!(lines("sortie_http_requests_open"), ["sortie_http_requests_open 0"]);
    assert!(!shown.contains("canary"), "{shown}");
    for name in ["sortie_http_requests_total", "sortie_http_request_seconds"] {
        assert_eq!(lines(&format!("# HELP {name} ")).len(), 1, "{shown}");
    }
}
