//! `sortie bot`: a bot plays with a join ticket that somebody else got.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use serde_json::json;
use sortie_players::swarm::{Crowd, LanePolicy, Visit};

use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::signals;
use sortie_cli::units::{Span, key_from_hex};

/// Options of `sortie bot`.
#[derive(Args)]
#[command(after_help = "\
Example:
  curl -X POST $API/v1/battles/$BATTLE/join -H \"Authorization: Bearer $ACCESS\"   answers, then
  sortie bot --server ADDRESS --fingerprint FINGERPRINT --join-ticket JOIN_TICKET

Plays until the battle is over. Several tickets are several players.")]
pub struct BotArgs {
    /// `address` of the answer
    #[arg(long, value_name = "ADDR")]
    server: SocketAddr,
    /// `fingerprint` of the answer
    #[arg(long, value_name = "HEX")]
    fingerprint: String,
    /// `join_ticket` of the answer
    #[arg(long, value_name = "BASE64", required = true)]
    join_ticket: Vec<String>,
    /// Leave after this long [default: when the battle is over]
    #[arg(long, value_name = "DURATION")]
    duration: Option<Span>,
}

/// How often signals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Plays; exit code 7 when nobody was let in, 1 when somebody was not.
pub fn run(args: &BotArgs, common: &Common) -> Result {
    let fingerprint = key_from_hex(&args.fingerprint)
        .map_err(|error| anyhow!("--fingerprint: {error}"))
        .or_fail(Failure::Usage)?;
    let stop = signals::stop_flag().or_fail(Failure::Start)?;
    let crowd = Crowd::start(1).or_fail(Failure::Start)?;
    let (sender, ends) = channel();
    for (seed, ticket) in (0..).zip(&args.join_ticket) {
        let ticket = BASE64
            .decode(ticket.trim())
            .map_err(|_| anyhow!("--join-ticket is not Base64"))
            .or_fail(Failure::Usage)?;
        let (addr, lane, sender) = (args.server, LanePolicy::Auto, sender.clone());
        crowd.send(Visit { addr, fingerprint, ticket, lane, seed }, move |visited| {
            drop(sender.send(visited));
        });
    }
    drop(sender);
    let end = args.duration.map(|duration| Instant::now() + duration.0);
    let (mut shut_out, mut has_played) = (Vec::new(), false);
    loop {
        if stop.load(Relaxed) || end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        match ends.recv_timeout(LOOK_EVERY) {
            Ok(visited) => {
                if common.json {
                    let (played, why) = (visited.played, &visited.why);
                    let snapshots = visited.snapshots;
                    sortie_cli::say!(
                        "{}",
                        json!({"played": played, "snapshots": snapshots, "why": why})
                    );
                } else {
                    sortie_cli::say!("{} ({} snapshots)", visited.why, visited.snapshots);
                }
                has_played |= visited.played;
                if !visited.played {
                    shut_out.push(visited.why);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if shut_out.is_empty() {
        return Ok(());
    }
    let failure = if has_played { Failure::Promise } else { Failure::ShutOut };
    let server = args.server;
    Err(failure.because(anyhow!("not let in at {server}: {}", shut_out.join("; "))))
}
