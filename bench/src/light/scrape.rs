//! What a running server says of itself: `/metrics`, read and compared between two moments.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Metrics by name, labels included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Asks the server at `ops`.
    ///
    /// # Errors
    /// It does not answer, or not with metrics.
    pub fn fetch(ops: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&ops, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {ops}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let metrics = Self::parse(&answer);
        if metrics.0.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no metrics in the answer"));
        }
        Ok(metrics)
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| line.starts_with("sortie_"));
        let pairs = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        });
        Self(pairs.collect())
    }

    /// The value of a metric, 0 when there is none.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// How far a counter came since `before`.
    pub fn since(&self, before: &Self, name: &str) -> f64 {
        self.get(name) - before.get(name)
    }

    /// Seconds in each phase of the tick since `before`, by the phase's name.
    pub fn phases_since(&self, before: &Self) -> BTreeMap<String, f64> {
        let sums = self.0.keys().filter_map(|name| {
            let phase = name.strip_prefix("sortie_tick_phase_seconds_sum{phase=\"")?;
            Some((phase.strip_suffix("\"}")?.to_owned(), self.since(before, name)))
        });
        sums.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_phases_are_read() {
        let text = "HTTP/1.1 200 OK\r\n\r\n# HELP sortie_ticks_total x\nsortie_ticks_total 7\n\
                    sortie_tick_phase_seconds_sum{phase=\"look\"} 0.5\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.get("sortie_ticks_total"), 7.0);
        let later = Metrics::parse(&text.replace("0.5", "0.75"));
        assert_eq!(later.phases_since(&metrics), [("look".to_owned(), 0.25)].into());
    }
}
