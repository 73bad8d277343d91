//! The command `healthcheck`: exit code 0 when the server is well, 1 when not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::exit::{Failure, OrFail, Result};
use crate::units::Span;

/// Options of `healthcheck`.
#[derive(Args)]
pub struct HealthcheckArgs {
    /// The server's operations listener [default: where this program's servers have it]
    #[arg(long, value_name = "ADDR", env = "SORTIE_OPS")]
    ops: Option<SocketAddr>,
    /// Ask whether it is ready for players (/readyz) instead of alive (/healthz)
    #[arg(long)]
    ready: bool,
    /// How long to wait for an answer
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    timeout: Span,
}

/// Asks once, at `default` unless told otherwise.
///
/// # Errors
/// Nothing answers, or the answer is not 200.
pub fn run(args: &HealthcheckArgs, default: SocketAddr) -> Result {
    let at = args.ops.unwrap_or(default);
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let (status, body) = get(at, args.timeout.0, path).or_fail(Failure::Promise)?;
    if status == 200 {
        return Ok(());
    }
    Err(Failure::Promise.because(anyhow!("{path} of {at} says {status}: {body}")))
}

/// Status and body of one plain HTTP/1.0 request; the listener is ours and on the same machine.
fn get(at: SocketAddr, timeout: Duration, path: &str) -> anyhow::Result<(u16, String)> {
    let timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
    let timeout = timeout.context("--timeout must be longer than 0")?;
    let mut stream = TcpStream::connect_timeout(&at, timeout)
        .with_context(|| format!("nothing answers at {at}; is the server up, with --ops {at}?"))?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {at}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).with_context(|| format!("{at} hung up"))?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned());
    Ok((status.with_context(|| format!("{at} does not speak HTTP"))?, body.unwrap_or_default()))
}
