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
use sortie_players::swarm::{DriverPool, LanePolicy, Visit, Visited};

use sortie_cli::address::ServerAddress;
use sortie_cli::counts::counted;
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

Plays until the battle is over, and says of each bot for how long it played, or why it never got
in; with --json, an object for each. Several tickets are several players.")]
pub(crate) struct BotArgs {
    /// `address` of the answer
    #[arg(long, value_name = "ADDR")]
    server: ServerAddress,
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
pub(crate) fn run(args: &BotArgs, common: &Common) -> Result {
    let fingerprint = key_from_hex(&args.fingerprint)
        .map_err(|error| anyhow!("--fingerprint: {error}"))
        .or_fail(Failure::Usage)?;
    let decode = |ticket: &String| BASE64.decode(ticket.trim());
    let tickets = args.join_ticket.iter().map(decode).collect::<std::result::Result<Vec<_>, _>>();
    let tickets =
        tickets.map_err(|_| anyhow!("--join-ticket is not Base64")).or_fail(Failure::Usage)?;
    let stop = signals::stop_flag().or_fail(Failure::Start)?;
    let drivers = DriverPool::start(1).or_fail(Failure::Start)?;
    let (sender, ends) = channel();
    for (number, ticket) in (1..).zip(tickets) {
        let (addr, lane, sender) = (args.server.0, LanePolicy::Auto, sender.clone());
        let visit = Visit { addr, fingerprint, ticket, lane, seed: number - 1 };
        drivers.send(visit, move |visited| drop(sender.send((number, visited))));
    }
    drop(sender);
    let mut outcome = Outcome { bots: args.join_ticket.len(), ..Outcome::default() };
    let end = args.duration.map(|duration| Instant::now() + duration.0);
    while !stop.load(Relaxed) && end.is_none_or(|end| Instant::now() < end) {
        match ends.recv_timeout(LOOK_EVERY) {
            Ok((number, visited)) => outcome.tell(number, visited, common.json),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // Those that are still there leave, and tell how it was.
    drop(drivers);
    for (number, visited) in ends {
        outcome.tell(number, visited, common.json);
    }
    outcome.judge(args.server.0)
}

/// What came of all bots.
#[derive(Default)]
struct Outcome {
    bots: usize,
    has_played: bool,
    /// Why they were not let in.
    shut_out: Vec<String>,
}

impl Outcome {
    /// Notes what came of a bot. For people, those who never got in are told of at the end only.
    fn tell(&mut self, number: u64, visited: Visited, json: bool) {
        let Visited { played, played_for, snapshots, why, .. } = visited;
        let seconds = played_for.as_secs_f64();
        if json {
            let played_s = (seconds * 1e3).round() / 1e3;
            sortie_cli::say!(
                "{}",
                json!({"bot": number, "played": played, "played_s": played_s,
                    "snapshots": snapshots, "why": why})
            );
        } else if played {
            let name = self.name_of(number);
            let snapshots = counted(snapshots, "snapshot");
            sortie_cli::say!("{name}played {seconds:.1} s, {snapshots}; {why}");
        }
        self.has_played |= played;
        if !played {
            self.shut_out.push(format!("{}{why}", self.name_of(number)));
        }
    }

    /// Which one it is, where there are several.
    fn name_of(&self, number: u64) -> String {
        if self.bots > 1 { format!("bot {number}: ") } else { String::new() }
    }

    fn judge(&self, server: SocketAddr) -> Result {
        if self.shut_out.is_empty() {
            return Ok(());
        }
        let failure = if self.has_played { Failure::Promise } else { Failure::ShutOut };
        Err(failure.because(anyhow!("not let in at {server}: {}", self.shut_out.join("; "))))
    }
}
