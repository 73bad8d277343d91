//! Values of headers, read as RFC 9110 says. gRPC metadata has the same ones.

use axum::http::{HeaderMap, header};

/// The token of a value of `authorization`: `Bearer TOKEN`, the scheme in any case (RFC 9110,
/// 11.1). `None`: there is no value, or it is of another scheme.
pub fn bearer(value: Option<&str>) -> Option<&str> {
    let (scheme, token) = value?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Of which type a body is said to be, as `image/png`: in lower case, without parameters (RFC
/// 9110, 8.3.1). `None`: nothing is said, or several things.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let essence = value.to_str().ok()?.split(';').next()?;
    Some(essence.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_scheme_has_any_case() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(bearer(Some(&format!("{scheme} a.b.c"))), Some("a.b.c"));
        }
        for other in [None, Some(""), Some("Bearer"), Some("a.b.c"), Some("Basic a"), Some(" a")] {
            assert_eq!(bearer(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_media_type_has_parameters_and_any_case() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_TYPE, HeaderValue::from_static(value));
            }
            media_type(&headers)
        };
        for value in ["image/png", "image/png; charset=utf-8", "Image/PNG ;q=1", " image/png;"] {
            assert_eq!(of(&[value]).as_deref(), Some("image/png"), "{value}");
        }
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["image/png", "image/jpeg"]), None);
        assert_eq!(of(&["image/pngx"]).as_deref(), Some("image/pngx"));
    }
}
