//! `sortie battle`: a battle server.

use std::cell::Cell;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use anyhow::{Context, anyhow, bail};
use clap::Args;
#[cfg(target_os = "linux")]
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sortie_battle::config::{BattleServerConfig, Ready, TicketAuthority};
use sortie_battle::fleet::{FleetConfig, FleetEvent, Registered};
use sortie_battle::journal::JournalError;
use sortie_battle::report::BattleReport;
use sortie_keys::PublicKeys;
use sortie_players::ground;
use sortie_sim::config::SimConfig;
use toml::Table;

use crate::lane::LaneName;
use crate::mode::ModeName;
use crate::secret;
use sortie_cli::config;
use sortie_cli::counts::{counted, pace};
use sortie_cli::exit::{Error, Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::signals;
use sortie_cli::units::{Span, key_from_hex};

/// Where a battle server's metrics and health are unless it is told otherwise.
pub(crate) const OPS_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_777);

/// Options of `sortie battle`.
#[derive(Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[command(after_help = "\
Examples:
  sortie battle --dev-tickets                  for clients on this machine
  sortie battle --listen 0.0.0.0:7777 --ticket-public-key HEX --data-dir /var/lib/sortie
  sortie battle --map my-map.toml --rules my-rules.toml --mode deathmatch
  sortie battle --control-plane http://10.0.0.1:7704 --fleet-secret-file FILE --name eu-1 \
    --listen 0.0.0.0:7777 --public-address 203.0.113.5:7777

A server that was killed takes up its battle again when it is started with the same data
directory. SIGTERM or Ctrl-C ends the battle in order: clients are told why, the journal is closed
and is the replay. With --json, stdout carries one JSON object a line: first `ready`, at the end
`report`. With --control-plane the server waits for orders and runs one battle after the other:
`ready` comes when it is registered, `report` after each battle; see docs/battle-server.md.")]
pub(crate) struct BattleArgs {
    /// Where game clients connect (UDP); port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7777", env = "SORTIE_LISTEN")]
    pub listen: SocketAddr,
    /// Where /metrics, /healthz and /readyz are (HTTP); keep it off the internet
    #[arg(long, value_name = "ADDR", default_value_t = OPS_DEFAULT, env = "SORTIE_OPS")]
    pub ops: SocketAddr,
    /// Journal, replays and keys
    #[arg(long, value_name = "DIR", default_value = "sortie-data", env = "SORTIE_DATA_DIR")]
    pub data_dir: PathBuf,

    /// A shipped map (quarry: 320 m, ridge: 512 m, steppe: 2,048 m, plain:SIZE) or a TOML file
    #[arg(long, value_name = "MAP", default_value = "ridge", env = "SORTIE_MAP")]
    #[arg(help_heading = "Battle")]
    pub map: String,
    /// Rules of the battle: a TOML file with what differs from the defaults
    #[arg(long, value_name = "FILE", env = "SORTIE_RULES", help_heading = "Battle")]
    pub rules: Option<PathBuf>,
    /// How the battle is won; overrides the rules
    #[arg(long, value_name = "MODE", value_enum, env = "SORTIE_MODE", help_heading = "Battle")]
    pub mode: Option<ModeName>,
    /// Ticks a second, 20 to 128; overrides the rules
    #[arg(long, value_name = "HZ", env = "SORTIE_TICK_HZ", help_heading = "Battle")]
    #[arg(value_parser = clap::value_parser!(u32).range(20..=128))]
    pub tick_hz: Option<u32>,
    /// Most players, 1 to 8192; overrides the rules
    #[arg(long, value_name = "COUNT", env = "SORTIE_PLAYERS_MAX", help_heading = "Battle")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=8_192))]
    pub players_max: Option<u16>,
    /// Seed of everything random in the battle [default: a random one]
    #[arg(long, value_name = "NUMBER", env = "SORTIE_SEED", help_heading = "Battle")]
    pub seed: Option<u64>,
    /// How long a lost player's seat is kept
    #[arg(long, value_name = "DURATION", default_value = "30s", env = "SORTIE_GRACE")]
    #[arg(help_heading = "Battle")]
    pub grace: Span,
    /// End the battle after this long [default: when the round has ended]
    #[arg(long, value_name = "DURATION", env = "SORTIE_DURATION", help_heading = "Battle")]
    pub duration: Option<Span>,

    /// Simulation threads [default: one]
    #[arg(long, value_name = "COUNT", default_value_t = 1, env = "SORTIE_THREADS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Performance")]
    pub threads: u16,
    /// Network shards, each with its own socket: a power of two
    #[arg(long, value_name = "COUNT", default_value_t = 1, env = "SORTIE_SHARDS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Performance")]
    pub shards: u16,

    /// What is offered to clients for inputs and snapshots; `sealed` says the same as `auto` here
    #[arg(long, value_enum, default_value = "auto", env = "SORTIE_LANE")]
    #[arg(help_heading = "Performance")]
    pub lane: LaneName,

    /// TLS certificate chain, PEM [default: self-signed, its fingerprint in the ready line]
    #[arg(long, value_name = "FILE", requires = "key", env = "SORTIE_CERT")]
    #[arg(help_heading = "Admission")]
    pub cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert", env = "SORTIE_KEY_FILE")]
    #[arg(help_heading = "Admission")]
    pub key: Option<PathBuf>,
    /// Ed25519 public key that join tickets must be signed with, hexadecimal; up to 4 with commas
    /// between, while keys are exchanged
    #[arg(long, value_name = "HEX", env = "SORTIE_TICKET_PUBLIC_KEY")]
    #[arg(help_heading = "Admission")]
    pub ticket_public_key: Option<String>,
    /// Make a ticket key pair for development and show its private seed in the ready line
    #[arg(long, env = "SORTIE_DEV_TICKETS", help_heading = "Admission")]
    pub dev_tickets: bool,

    /// Run battles as this control plane orders them; its internal address, http://HOST:PORT or
    /// https://HOST:PORT, or several of them with commas between: one after the other is used
    #[arg(long, value_name = "URL", env = "SORTIE_CONTROL_PLANE", help_heading = "Fleet")]
    pub control_plane: Option<String>,
    /// PEM certificates that the control plane's is checked against; needed with https
    #[arg(long, value_name = "FILE", env = "SORTIE_CONTROL_PLANE_ROOTS", help_heading = "Fleet")]
    pub control_plane_roots: Option<PathBuf>,
    /// The secret that the control plane and its battle servers share, 16 characters or more
    #[arg(long, value_name = "SECRET", env = "SORTIE_FLEET_SECRET", help_heading = "Fleet")]
    #[arg(hide_env_values = true)]
    pub fleet_secret: Option<String>,
    /// A file that holds the secret
    #[arg(long, value_name = "FILE", env = "SORTIE_FLEET_SECRET_FILE", help_heading = "Fleet")]
    pub fleet_secret_file: Option<PathBuf>,
    /// The server's name in the fleet, the same after every restart
    #[arg(long, value_name = "NAME", env = "SORTIE_NAME", help_heading = "Fleet")]
    pub name: Option<String>,
    /// Where clients reach the server [default: the address it listens at]
    #[arg(long, value_name = "HOST:PORT", env = "SORTIE_PUBLIC_ADDRESS", help_heading = "Fleet")]
    pub public_address: Option<String>,
    /// Results that may wait for the control plane before no new battles are begun
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, env = "SORTIE_SPOOL_RESULTS")]
    #[arg(help_heading = "Fleet")]
    pub spool_results: usize,
    /// Their bytes, MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, env = "SORTIE_SPOOL_MIB")]
    #[arg(help_heading = "Fleet")]
    pub spool_mib: u64,
    /// End a battle that nobody is connected to for this long; 0: let it go on
    #[arg(long, value_name = "DURATION", default_value = "5m", env = "SORTIE_EMPTY_AFTER")]
    #[arg(help_heading = "Fleet")]
    pub empty_after: Span,
    /// Replays that are kept, newest first [default: all]
    #[arg(long, value_name = "COUNT", env = "SORTIE_REPLAYS_MAX", help_heading = "Fleet")]
    pub replays_max: Option<usize>,
    /// Replays that are kept, newest first, MiB [default: all]
    #[arg(long, value_name = "MIB", env = "SORTIE_REPLAYS_MIB", help_heading = "Fleet")]
    pub replays_mib: Option<u64>,

    /// Leave the ticks before this one out of the report's percentiles: for measurements
    #[arg(long, hide = true, value_name = "TICK", default_value_t = 0)]
    pub report_from: u32,
    /// End the battle in order when stdin closes: for parents that must not leave a server behind,
    /// stopped or not
    #[arg(long, hide = true)]
    pub end_with_stdin: bool,
}

/// Runs the server until the battle is over or a signal comes.
pub(crate) fn run(args: &BattleArgs, common: &Common) -> Result {
    let config = config_of(args)?;
    let fleet = fleet_of(args)?;
    let stop = signals::stop_flag().or_fail(Failure::Start)?;
    if args.end_with_stdin {
        end_with_stdin(Arc::clone(&stop));
    }
    if let Some(fleet) = fleet {
        return run_in_fleet(fleet, config, &stop, common.json);
    }
    let is_ready = Cell::new(false);
    let outcome = sortie_battle::run(config, &stop, |ready| {
        is_ready.set(true);
        show_ready(ready, common.json);
    });
    let report = outcome.map_err(|error| match is_ready.get() {
        true => Failure::Run.because(error),
        false => not_started(error),
    })?;
    show_report(&report, common.json);
    if !report.journal_complete {
        return Err(incomplete());
    }
    Ok(())
}

/// Why it did not start: its journal may be of another version, which no other start can mend.
fn not_started(error: anyhow::Error) -> Error {
    let is_version = JournalError::is_version(&error);
    if is_version { Failure::Version.because(error) } else { Failure::Start.because(error) }
}

fn incomplete() -> Error {
    Failure::Promise.because(anyhow!("the journal was given up; the replay is not complete"))
}

/// Runs one battle after the other, as the control plane orders them.
fn run_in_fleet(
    fleet: FleetConfig,
    config: BattleServerConfig,
    stop: &AtomicBool,
    json: bool,
) -> Result {
    let (is_ready, is_incomplete) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (readied, missed) = (Arc::clone(&is_ready), Arc::clone(&is_incomplete));
    let outcome = sortie_battle::fleet::run(fleet, config, stop, move |event| match event {
        FleetEvent::Registered(registered) => {
            readied.store(true, Relaxed);
            show_registered(registered, json);
        }
        FleetEvent::Begun(battle_id) if json => {
            print_line("begun", Ok(json!({ "battle_id": battle_id })));
        }
        FleetEvent::Begun(battle_id) => sortie_cli::say!("battle      {battle_id} begins"),
        FleetEvent::Report(report) => {
            missed.fetch_or(!report.journal_complete, Relaxed);
            show_report(report, json);
        }
    });
    outcome.or_fail(if is_ready.load(Relaxed) { Failure::Run } else { Failure::Start })?;
    if is_incomplete.load(Relaxed) { Err(incomplete()) } else { Ok(()) }
}

/// What makes the server one of a fleet; `None` when it is to stand alone.
fn fleet_of(args: &BattleArgs) -> Result<Option<FleetConfig>> {
    let Some(control_plane) = &args.control_plane else { return Ok(None) };
    let secret =
        secret::fleet_secret(args.fleet_secret.as_deref(), args.fleet_secret_file.as_deref());
    let secret = secret.or_fail(Failure::Usage)?;
    let name =
        args.name.as_deref().context("--control-plane needs a --name").or_fail(Failure::Usage)?;
    let mut fleet = FleetConfig::new(control_plane, secret, name).or_fail(Failure::Usage)?;
    let is_tls = fleet.control_planes.iter().any(|address| address.starts_with("https://"));
    match (&args.control_plane_roots, is_tls) {
        (Some(file), true) => {
            let roots = std::fs::read_to_string(file);
            let roots = roots.with_context(|| format!("cannot read {}", file.display()));
            fleet.roots = Some(roots.or_fail(Failure::Start)?);
        }
        (None, false) => {}
        (given, _) => {
            let cause = match given {
                Some(_) => anyhow!("--control-plane-roots is for https"),
                None => anyhow!("https needs --control-plane-roots FILE, the roots to trust"),
            };
            return Err(Failure::Usage.because(cause));
        }
    }
    if args.public_address.is_none() && args.listen.ip().is_unspecified() {
        let cause =
            anyhow!("--listen {} is no address for clients: give --public-address", args.listen);
        return Err(Failure::Usage.because(cause));
    }
    fleet.public_address.clone_from(&args.public_address);
    fleet.spool.results_max = args.spool_results;
    fleet.spool.bytes_max = args.spool_mib << 20;
    fleet.empty_after = (!args.empty_after.0.is_zero()).then_some(args.empty_after.0);
    fleet.replays_max = args.replays_max;
    fleet.replay_bytes_max = args.replays_mib.map(|mib| mib << 20);
    Ok(Some(fleet))
}

/// Reads `--ticket-public-key`.
fn public_keys(text: &str) -> anyhow::Result<PublicKeys> {
    let read = |text: &str| {
        key_from_hex(text.trim()).map_err(|error| anyhow!("--ticket-public-key: {error}"))
    };
    let (first, others) =
        text.split_once(',').map_or((text, None), |(one, rest)| (one, Some(rest)));
    let others = others.into_iter().flat_map(|rest| rest.split(',')).map(read);
    let others = others.collect::<anyhow::Result<Vec<_>>>()?;
    PublicKeys::new(read(first)?, others).context("--ticket-public-key")
}

/// The configuration, or what is wrong with it: with the options (2) or with a file (3).
fn config_of(args: &BattleArgs) -> Result<BattleServerConfig> {
    let public_keys = args.ticket_public_key.as_deref().map(public_keys);
    let public_keys = public_keys.transpose().or_fail(Failure::Usage)?;
    let tickets = match &args.control_plane {
        // The control plane says who signs tickets.
        Some(_) if public_keys.is_none() && !args.dev_tickets => TicketAuthority::Dev,
        Some(_) => {
            let cause = anyhow!("with --control-plane, its key is the one of join tickets");
            return Err(Failure::Usage.because(cause));
        }
        None => BattleServerConfig::ticket_authority(public_keys, args.dev_tickets)
            .or_fail(Failure::Usage)?,
    };
    if !args.shards.is_power_of_two() {
        let cause = anyhow!("--shards {}: must be a power of two", args.shards);
        return Err(Failure::Usage.because(cause));
    }
    for file in [&args.cert, &args.key].into_iter().flatten() {
        std::fs::metadata(file)
            .with_context(|| format!("cannot read the certificate file {}", file.display()))
            .or_fail(Failure::Start)?;
    }
    Ok(BattleServerConfig {
        listen: args.listen,
        ops: Some(args.ops),
        rules: rules_of(args)?,
        map: ground::load(&args.map).or_fail(Failure::Start)?,
        seed: args.seed,
        threads: usize::from(args.threads),
        shards: usize::from(args.shards),
        certificate: args.cert.clone().zip(args.key.clone()),
        sealed_lane: args.lane != LaneName::Quic,
        tickets,
        grace: args.grace.0,
        duration: args.duration.map(|duration| duration.0),
        report_from_tick: args.report_from,
        ..BattleServerConfig::new(args.data_dir.clone())
    })
}

fn rules_of(args: &BattleArgs) -> Result<SimConfig> {
    let mut rules = match &args.rules {
        Some(file) => read_rules(file).or_fail(Failure::Start)?,
        None => SimConfig::default(),
    };
    if let Some(mode) = args.mode {
        rules.mode = mode.0;
    }
    if let Some(tick_hz) = args.tick_hz {
        // clap has checked the range.
        rules.tick_hz = tick_hz as u16;
    }
    if let Some(players_max) = args.players_max {
        rules.players_max = players_max;
    }
    rules.validate().or_fail(Failure::Start)?;
    Ok(rules)
}

/// The default rules with what a file says instead.
fn read_rules(file: &Path) -> anyhow::Result<SimConfig> {
    let name = file.display();
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read the rules {name}"))?;
    let named = format!("the rules {name}");
    let changes: Table =
        toml::from_str(&text).map_err(|error| config::fault(&named, &text, &error))?;
    let mut rules = Table::try_from(SimConfig::default()).context("the default rules")?;
    if let Some(stranger) = config::stranger(&text, &rules) {
        bail!("{named}, {stranger}");
    }
    overlay(&mut rules, changes);
    let rules = SimConfig::deserialize(rules)
        .map_err(|error| anyhow!("{named}: {}", error.to_string().trim().replace('\n', " ")))?;
    rules.validate().with_context(|| named)?;
    Ok(rules)
}

/// Values of `changes` replace those of `rules`; tables are merged, lists replaced.
fn overlay(rules: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (rules.get_mut(&key), change) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(change)) => {
                overlay(inner, change);
            }
            (_, change) => {
                rules.insert(key, change);
            }
        }
    }
}

/// Sets `stop` when stdin is closed, which the end of the parent does in any case.
///
/// A process that was stopped reads nothing: the parent's end lets it go on. That is of the thread
/// that started it, which may end earlier; it does no harm to a process that runs.
fn end_with_stdin(stop: Arc<AtomicBool>) {
    #[cfg(target_os = "linux")]
    if let Err(error) = set_parent_process_death_signal(Some(Signal::CONT)) {
        tracing::warn!(%error, "if this process is stopped, it will outlive its parent");
    }
    thread::spawn(move || {
        let mut ignored = [0; 256];
        while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
        stop.store(true, Relaxed);
    });
}

fn show_ready(ready: &Ready, json: bool) {
    if json {
        print_line("ready", serde_json::to_value(ready));
        return;
    }
    let Ready { listen, fingerprint, battle_id, .. } = ready;
    sortie_cli::say!("battle      {battle_id}{}", if ready.resumed { " (taken up)" } else { "" });
    sortie_cli::say!("listening   {listen}");
    sortie_cli::say!("fingerprint {fingerprint}");
    if let Some(ops) = ready.ops {
        sortie_cli::say!("operations  http://{ops}/metrics, /healthz, /readyz");
    }
    sortie_cli::say!("data        {}", ready.data_dir.display());
    if let Some(key) = &ready.dev_ticket_key {
        sortie_cli::say!("ticket key  {key} (development: whoever has it lets players in)");
        sortie_cli::say!(
            "try         sortie swarm --server {listen} --fingerprint {fingerprint} --battle-id \
             {battle_id} --ticket-key {key}"
        );
    }
}

fn show_registered(registered: &Registered, json: bool) {
    if json {
        print_line("ready", serde_json::to_value(registered));
        return;
    }
    let Registered { listen, address, fingerprint, name, server_id, .. } = registered;
    sortie_cli::say!("server      {name} ({server_id})");
    sortie_cli::say!("listening   {listen}, for clients {address}");
    sortie_cli::say!("fingerprint {fingerprint}");
    if let Some(ops) = registered.ops {
        sortie_cli::say!("operations  http://{ops}/metrics, /healthz, /readyz");
    }
    sortie_cli::say!("data        {}", registered.data_dir.display());
}

fn show_report(report: &BattleReport, json: bool) {
    if json {
        print_line("report", serde_json::to_value(report));
        return;
    }
    let cpu = report.tick_cpu_us;
    sortie_cli::say!("ended       {} at tick {}", report.ended_by, report.last_tick);
    let pace = pace(report.ticks, report.tick_overruns, report.ticks_left_out);
    sortie_cli::say!("ticks       {pace}");
    sortie_cli::say!(
        "tick CPU    {:.0} µs p50, {:.0} µs p99, {:.0} µs p99.9",
        cpu.p50,
        cpu.p99,
        cpu.p999
    );
    sortie_cli::say!("clients     {} at most, {} lost", report.clients_peak, report.clients_lost);
    sortie_cli::say!(
        "battle      {}, {}, {}, {}",
        counted(report.shots, "shot"),
        counted(report.hits, "hit"),
        counted(report.kills, "kill"),
        counted(report.captures, "capture")
    );
    if let Some(path) = &report.replay_path {
        sortie_cli::say!("replay      {}", path.display());
    }
}

/// One JSON object a line; the first key names it.
fn print_line(event: &str, fields: serde_json::Result<Value>) {
    let mut line = json!({ "event": event });
    if let (Some(line), Ok(Value::Object(fields))) = (line.as_object_mut(), fields) {
        line.extend(fields);
    }
    sortie_cli::say!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_from_a_file_change_only_what_they_name() {
        let mut rules: Table = "a = 1\nlist = [1, 2]\n[b]\nc = 2\nd = 3".parse().unwrap();
        overlay(&mut rules, "a = 5\nlist = [3]\n[b]\nd = 4".parse().unwrap());
        let expected: Table = "a = 5\nlist = [3]\n[b]\nc = 2\nd = 4".parse().unwrap();
        assert_eq!(rules, expected);
    }

    #[test]
    fn unknown_rules_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.toml");
        for (text, told) in [
            ("tick_herz = 30", "rules.toml, line 1: there is no key `tick_herz`; is it `tick_hz`?"),
            ("[body]\nbordr_s = 3.0", "line 2: there is no key `bordr_s`; is it `border_s`?"),
            ("[[classes]]\nweapon = []", "unknown field `weapon`"),
            ("tick_hz = 3", "rules.toml: tick_hz must be 20 to 128"),
            ("tick_hz = \"fast\"", "rules.toml: invalid type"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = format!("{:#}", read_rules(&file).unwrap_err());
            assert!(error.contains(told), "{text}: {error}");
        }
        std::fs::write(&file, "tick_hz = 30\n[body]\nborder_s = 20.0").unwrap();
        let rules = read_rules(&file).unwrap();
        assert_eq!((rules.tick_hz, rules.body.border_s), (30, 20.0));
    }
}
