//! `sortie swarm`: bots over the network, against an own server or a running one.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use sortie_players::swarm::{
    self, NetworkConditions, OwnServer, Progress, ServerUnderTest, SwarmConfig, SwarmError, Target,
};

use crate::command::replay;
use crate::lane::LaneName;
use crate::progress;
use crate::report;
use crate::scenario::ScenarioName;
use crate::secret;
use sortie_cli::address::ServerAddress;
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::progress::Lines;
use sortie_cli::signals;
use sortie_cli::units::{Share, Span, key_from_hex, number_in};

/// Options of `sortie swarm`.
#[derive(Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[command(after_help = "\
Examples:
  sortie swarm --bots 200 --duration 30s
  sortie swarm --loss 5% --delay 100ms --jitter 20ms --rebind-every 10s
  sortie swarm --bots 100 --duration 30m --hostile
  sortie swarm --server 192.0.2.7:7777 --fingerprint HEX --ticket-key HEX --battle-id HEX

The simulated network stands between each bot and its socket and treats each direction alike:
--delay 100ms adds 100 ms on the way there and 100 ms on the way back. It replays from --seed.
Without --server, the swarm starts a server of its own as a child process, so that its CPU time
is counted apart, and verifies the battle's replay at the end.")]
pub(crate) struct SwarmArgs {
    /// How many bots
    #[arg(long, value_name = "COUNT", default_value_t = 64, env = "SORTIE_SWARM_BOTS")]
    #[arg(value_parser = number_in(1..=8_000))]
    bots: u16,
    /// How long they play, from the start of connecting
    #[arg(long, value_name = "DURATION", default_value = "30s", env = "SORTIE_SWARM_DURATION")]
    duration: Span,
    /// What they do
    #[arg(long, value_enum, env = "SORTIE_SWARM_SCENARIO")]
    #[arg(default_value_t = ScenarioName::Conquest)]
    scenario: ScenarioName,
    /// Seed of bots, battle and simulated network
    #[arg(long, value_name = "NUMBER", default_value_t = 1, env = "SORTIE_SWARM_SEED")]
    seed: u64,
    /// Threads that drive the bots
    #[arg(long, value_name = "COUNT", default_value_t = 1, env = "SORTIE_SWARM_THREADS")]
    #[arg(value_parser = number_in(1..=64))]
    threads: u16,
    /// What inputs and snapshots travel over
    #[arg(long, value_enum, default_value = "auto", env = "SORTIE_SWARM_LANE")]
    lane: LaneName,

    /// Drop this share of the packets, in each direction
    #[arg(long, value_name = "SHARE", default_value = "0%", help_heading = "Simulated network")]
    #[arg(default_value_if("hostile", "true", "2%"))]
    loss: Share,
    /// Delay packets by this much, in each direction
    #[arg(long, value_name = "DURATION", default_value = "0", help_heading = "Simulated network")]
    #[arg(default_value_if("hostile", "true", "30ms"))]
    delay: Span,
    /// Vary the delay by up to this much, both ways, keeping it above zero
    #[arg(long, value_name = "DURATION", default_value = "0", help_heading = "Simulated network")]
    #[arg(default_value_if("hostile", "true", "20ms"))]
    jitter: Span,
    /// Hold this share of the packets back until later ones have passed
    #[arg(long, value_name = "SHARE", default_value = "0%", help_heading = "Simulated network")]
    reorder: Share,
    /// Deliver this share of the packets twice
    #[arg(long, value_name = "SHARE", default_value = "0%", help_heading = "Simulated network")]
    duplicate: Share,
    /// Move each bot to a new address this often, as a NAT would
    #[arg(long, value_name = "DURATION", default_value = "0", help_heading = "Simulated network")]
    rebind_every: Span,
    /// Let things go wrong now and then, drawn from --seed: delays that grow by half a second,
    /// 10 % of loss for 12 s, ways that are dead for 3 s, bots and an own server that stand still,
    /// new addresses, and an own server killed every 2 minutes in the first half; --loss 2%
    /// --delay 30ms --jitter 20ms unless you say otherwise
    #[arg(long, env = "SORTIE_SWARM_HOSTILE", help_heading = "Simulated network")]
    hostile: bool,

    /// Play on this server instead of an own one
    #[arg(long, value_name = "ADDR", env = "SORTIE_SWARM_SERVER", help_heading = "Server")]
    #[arg(requires_all = ["fingerprint", "battle_id"])]
    server: Option<ServerAddress>,
    /// SHA-256 of that server's certificate, as its ready line shows it
    #[arg(long, value_name = "HEX", env = "SORTIE_FINGERPRINT", help_heading = "Server")]
    fingerprint: Option<String>,
    /// Private Ed25519 seed that signs join tickets for that server
    #[arg(long, value_name = "HEX", env = "SORTIE_TICKET_KEY", hide_env_values = true)]
    #[arg(help_heading = "Server")]
    ticket_key: Option<String>,
    /// File with that seed: 64 hexadecimal digits, or the 32 bytes of a data directory's
    /// dev-ticket-key
    #[arg(long, value_name = "FILE", env = "SORTIE_TICKET_KEY_FILE", help_heading = "Server")]
    ticket_key_file: Option<PathBuf>,
    /// The battle on that server, as its ready line shows it
    #[arg(long, value_name = "HEX", env = "SORTIE_BATTLE_ID", help_heading = "Server")]
    battle_id: Option<String>,
    /// Keep the own server's data here [default: a new folder in sortie-data]
    #[arg(long, value_name = "DIR", env = "SORTIE_SWARM_DATA_DIR", help_heading = "Server")]
    data_dir: Option<PathBuf>,
    /// Map of the own server [default: by scenario and number of bots]
    #[arg(long, value_name = "MAP", env = "SORTIE_SWARM_MAP", help_heading = "Server")]
    map: Option<String>,
    /// Ticks a second of the own server
    #[arg(long, value_name = "HZ", default_value_t = 60, help_heading = "Server")]
    #[arg(value_parser = clap::value_parser!(u32).range(20..=128))]
    tick_hz: u32,
    /// Simulation threads of the own server
    #[arg(long, value_name = "COUNT", default_value_t = 1, help_heading = "Server")]
    #[arg(value_parser = number_in(1..=64))]
    server_threads: u16,
}

/// Runs the swarm, verifies the replay, prints the report.
pub(crate) fn run(args: &SwarmArgs, common: &Common) -> Result {
    let config = config_of(args).or_fail(Failure::Usage)?;
    let stop = signals::stop_flag().or_fail(Failure::Start)?;
    let mut lines = Lines::new(common.json, Some(args.duration.0));
    let mut show = |progress: &Progress| lines.show(progress.elapsed, || progress::line(progress));
    let outcome = swarm::run(&config, &mut show, &stop);
    lines.end();
    let mut report = outcome.map_err(classify)?;
    report.check_promises();
    if let Some(replay) = report.replay_path.clone() {
        report.set_verified(verify(&replay));
    } else if matches!(config.server, ServerUnderTest::Own(_)) {
        report.miss("the server left no replay".to_owned());
    }
    if common.json {
        sortie_cli::say!("{}", serde_json::to_string_pretty(&report).or_fail(Failure::Run)?);
    } else {
        for line in report::lines(&report) {
            sortie_cli::say!("{line}");
        }
    }
    if report.missed.is_empty() {
        return Ok(());
    }
    let missed: Vec<&str> = if common.json {
        report.missed.iter().map(String::as_str).collect()
    } else {
        // The report's line of the machine stands above.
        report.missed_apart_from_busy().collect()
    };
    let failure = if report.is_shut_out() { Failure::ShutOut } else { Failure::Promise };
    Err(failure.because(anyhow!("{}", missed.join("; "))))
}

fn verify(replay: &Path) -> std::result::Result<(), String> {
    replay::verify(replay, 1, true).map(drop).map_err(|error| error.to_string())
}

fn classify(error: SwarmError) -> sortie_cli::exit::Error {
    match error {
        SwarmError::Spawn(_)
        | SwarmError::Ended(_)
        | SwarmError::DataDir(..)
        | SwarmError::Socket(_) => Failure::Start.because(error),
        _ => Failure::Run.because(error),
    }
}

fn config_of(args: &SwarmArgs) -> anyhow::Result<SwarmConfig> {
    ensure!(!args.duration.0.is_zero(), "--duration must be longer than 0");
    Ok(SwarmConfig {
        bots: usize::from(args.bots),
        duration: args.duration.0,
        scenario: args.scenario.into(),
        seed: args.seed,
        threads: usize::from(args.threads),
        lane: args.lane.into(),
        link: NetworkConditions {
            loss: args.loss.0,
            delay: args.delay.0,
            jitter: args.jitter.0,
            reorder: args.reorder.0,
            duplicate: args.duplicate.0,
            rebind_every: Some(args.rebind_every.0).filter(|every| !every.is_zero()),
        },
        hostile: args.hostile,
        server: server_of(args)?,
    })
}

fn server_of(args: &SwarmArgs) -> anyhow::Result<ServerUnderTest> {
    let Some(addr) = args.server else {
        return Ok(ServerUnderTest::Own(OwnServer {
            program: std::env::current_exe().context("cannot find this program again")?,
            data_dir: args.data_dir.clone().unwrap_or_else(new_data_dir),
            map: args.map.clone(),
            tick_hz: args.tick_hz,
            threads: usize::from(args.server_threads),
        }));
    };
    let fingerprint = args.fingerprint.as_deref().context("--server needs --fingerprint")?;
    let battle_id = args.battle_id.as_deref().context("--server needs --battle-id")?;
    Ok(ServerUnderTest::Running(Target {
        addr: addr.0,
        fingerprint: key_from_hex(fingerprint)
            .map_err(|error| anyhow!("--fingerprint: {error}"))?,
        ticket_seed: secret::ticket_key(
            args.ticket_key.as_deref(),
            args.ticket_key_file.as_deref(),
        )?,
        battle_id: u128::from_str_radix(battle_id.trim(), 16)
            .context("--battle-id: not all of it is hexadecimal digits")?,
    }))
}

/// A folder of its own for each run, below `sortie-data`.
fn new_data_dir() -> PathBuf {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Path::new("sortie-data").join(format!("swarm-{seconds}-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn config(flags: &[&str]) -> anyhow::Result<SwarmConfig> {
        let flags = std::iter::once(&"swarm").chain(flags);
        let matches = SwarmArgs::augment_args(Command::new("swarm")).try_get_matches_from(flags)?;
        config_of(&SwarmArgs::from_arg_matches(&matches)?)
    }

    #[test]
    fn flags_become_a_link() {
        let link = config(&["--loss", "5%", "--delay", "100ms", "--jitter", "20ms"]).unwrap().link;
        assert_eq!((link.loss, link.delay.as_millis(), link.jitter.as_millis()), (0.05, 100, 20));
        assert_eq!(link.rebind_every, None);
        let hostile = config(&["--hostile", "--loss", "2%"]).unwrap();
        assert_eq!((hostile.link.loss, hostile.link.delay.as_millis()), (0.02, 30));
        assert!(hostile.hostile);
    }

    #[test]
    fn a_swarm_that_lasts_no_time_is_refused() {
        assert!(config(&["--duration", "0s"]).is_err());
    }

    #[test]
    fn a_running_server_needs_its_keys() {
        assert!(config(&["--server", "127.0.0.1:1"]).is_err());
        let key = "ab".repeat(32);
        let flags = ["--server", "127.0.0.1:1", "--fingerprint", &key, "--ticket-key", &key];
        let flags = [&flags[..], &["--battle-id", "2a"]].concat();
        let ServerUnderTest::Running(target) = config(&flags).unwrap().server else {
            panic!("not its own")
        };
        assert_eq!((target.battle_id, target.ticket_seed), (42, [0xab; 32]));
        let short = [&flags[..6], &["--battle-id", "x"]].concat();
        assert!(config(&short).is_err());
    }
}
