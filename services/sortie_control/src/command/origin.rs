//! Origins of web pages, as browsers send them.

use anyhow::bail;
use reqwest::Url;

/// Checks what the operator listed under `flag`. Origins are compared byte by byte with what a
/// browser sends, so that one written in another way would never match: scheme and host in small
/// letters, international names in their `xn--` form, a port only where it is not the scheme's own
/// (RFC 6454, section 6.1).
///
/// # Errors
/// One is no origin, or not as browsers write it; the message says how it is written.
pub(super) fn check(flag: &str, origins: &[String]) -> anyhow::Result<()> {
    for origin in origins.iter().filter(|&origin| origin != "*") {
        let Some(written) = as_browsers_write(origin) else {
            bail!("{flag}: '{origin}' is no origin; write it like https://play.example")
        };
        if *origin != written {
            bail!("{flag}: no browser writes '{origin}'; write {written}");
        }
    }
    Ok(())
}

/// `None` for what is no origin of a web page.
fn as_browsers_write(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let is_web = ["http", "https"].contains(&url.scheme());
    let is_bare = url.query().is_none() && url.fragment().is_none() && !text.contains(['*', ',']);
    (is_web && is_bare).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for good in ["*", "https://play.example", "http://127.0.0.1:8080", "http://[::1]:8080"] {
            assert!(check("--x", &[good.to_owned()]).is_ok(), "{good}");
        }
        for (wrong, right) in [
            ("https://Play.Example", "https://play.example"),
            ("https://play.example/", "https://play.example"),
            ("https://play.example/path", "https://play.example"),
            ("https://play.example:443", "https://play.example"),
            ("http://play.example:80", "http://play.example"),
            ("https://me@play.example", "https://play.example"),
            ("HTTPS://play.example", "https://play.example"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            (" https://play.example", "https://play.example"),
        ] {
            let said = check("--x", &[wrong.to_owned()]).unwrap_err().to_string();
            assert_eq!(said, format!("--x: no browser writes '{wrong}'; write {right}"));
        }
        for none in [
            "",
            "play.example",
            "https://",
            "https://*.example",
            "ftp://a.example",
            "null",
            "http://a.example:80800",
            "https://a.example?b",
            "https://a.example,https://b.example",
        ] {
            let said = check("--x", &[none.to_owned()]).unwrap_err().to_string();
            assert!(said.contains("is no origin"), "{none}: {said}");
        }
    }
}
