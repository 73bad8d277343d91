//! What a part is given: a database of its own, Redis if there is one, and how much to do.

use std::time::Instant;

use anyhow::Context;
use sqlx::PgPool;

/// Connections of a pool, as a node of the product has them.
pub(crate) const CONNECTIONS: u32 = 16;

/// Where and how much a part measures.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// An empty and migrated database, this part's own.
    pub db: PgPool,
    /// The same, for pools on other threads.
    pub url: String,
    /// `None`: there is no Redis.
    pub redis: Option<String>,
    /// How often everything is measured.
    pub repeats: usize,
    /// Everything small: to see that it works.
    pub quick: bool,
    /// The part's name.
    pub part: &'static str,
    /// When it began.
    pub began: Instant,
}

impl Fixture {
    /// `large`, or `small` in a quick run.
    pub(crate) fn size<T>(&self, large: T, small: T) -> T {
        if self.quick { small } else { large }
    }

    /// Progress, for whoever waits.
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        eprintln!("{:>7.1} s  {}: {what}", self.began.elapsed().as_secs_f64(), self.part);
    }
}

/// `url` with another database, its parameters kept.
pub(crate) fn with_database(url: &str, name: &str) -> anyhow::Result<String> {
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = address.split_once("://").context("the database URL has no scheme")?;
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    let mark = if parameters.is_empty() { "" } else { "?" };
    Ok(format!("{scheme}://{host}/{name}{mark}{parameters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_keeps_everything_else() {
        for (url, wanted) in [
            ("postgres://a:b@h:1/old", "postgres://a:b@h:1/new"),
            ("postgres://a@h", "postgres://a@h/new"),
            ("postgres:///old?host=%2Ftmp&user=a", "postgres:///new?host=%2Ftmp&user=a"),
        ] {
            assert_eq!(with_database(url, "new").unwrap(), wanted);
        }
        assert!(with_database("no address", "new").is_err());
    }
}
