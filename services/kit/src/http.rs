//! Rules that all HTTP listeners keep, whatever they serve: which requests are lawful, and what
//! every answer says of itself.

use std::fmt;

use axum::http::header::{CACHE_CONTROL, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Request, StatusCode, Version};
use axum::response::Response;

/// Bytes of all names and values of the headers of a request.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// Bytes of the path and the query of a request.
const TARGET_BYTES_MAX: usize = 8 << 10;

/// Why a request is refused before anybody looks at what it asks for. What follows it on its
/// connection may be another's: its answer is the last one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlawful {
    /// It has no host, several or one that is none.
    Host,
    /// Its headers are too long.
    Headers,
    /// Its path and query are too long.
    Target,
}

impl Unlawful {
    /// 400, 431 or 414.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::BAD_REQUEST,
            Self::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Target => StatusCode::URI_TOO_LONG,
        }
    }
}

impl fmt::Display for Unlawful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "a request has one Host header, with a host and perhaps a port",
            Self::Headers => "the headers have more than 64 KiB",
            Self::Target => "path and query have more than 8 KiB",
        })
    }
}

impl std::error::Error for Unlawful {}

/// Refuses what two servers could read in two ways: HTTP/1.1 has one `host` (RFC 9112, 3.2). And
/// what is longer than any call is: a connection's buffer lets it pass when it comes at once.
///
/// # Errors
/// What is unlawful.
pub fn check<B>(request: &Request<B>) -> Result<(), Unlawful> {
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(Unlawful::Headers);
    }
    let target = request.uri().path_and_query();
    if target.is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
        return Err(Unlawful::Target);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let is_one = match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host),
        (None, None) => request.version() < Version::HTTP_11,
        _ => false,
    };
    if is_one { Ok(()) } else { Err(Unlawful::Host) }
}

fn is_host(host: &HeaderValue) -> bool {
    let host = host.to_str().unwrap_or("@");
    host.is_empty() || !host.contains('@') && host.parse::<Authority>().is_ok()
}

/// Marks an answer, unless it says otherwise itself: nobody on the way keeps it, and browsers take
/// it for what it is.
pub async fn discreet(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(target: &str, hosts: &[&str], version: Version) -> Result<(), Unlawful> {
        let mut request = Request::get(target).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check(&request.body(()).unwrap())
    }

    #[test]
    fn a_request_has_one_host() {
        for host in ["a.example", "a.example:80", "[::1]:80", ""] {
            assert_eq!(outcome("/", &[host], Version::HTTP_11), Ok(()), "{host}");
        }
        assert_eq!(outcome("/", &[], Version::HTTP_10), Ok(()));
        for hosts in [&[][..], &["a", "b"], &["a", "a"], &["a b"], &["user@a"]] {
            assert_eq!(outcome("/", hosts, Version::HTTP_11), Err(Unlawful::Host), "{hosts:?}");
        }
    }

    #[test]
    fn a_target_has_eight_kib() {
        let target = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
        assert_eq!(outcome(&target(TARGET_BYTES_MAX), &["a"], Version::HTTP_11), Ok(()));
        let long = target(TARGET_BYTES_MAX + 1);
        assert_eq!(outcome(&long, &["a"], Version::HTTP_11), Err(Unlawful::Target));
    }
}
