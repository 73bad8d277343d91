//! A swarm's report for people.

use sortie_cli::counts::{counted, pace};
use sortie_players::swarm::{HostileReport, SwarmReport};

use crate::mode::{mode_name, score};

/// The report as lines of text.
pub(crate) fn lines(report: &SwarmReport) -> Vec<String> {
    let mut lines = vec![head(report), clients(report)];
    if let (Some(ticks), Some(overruns)) = (report.ticks, report.tick_overruns) {
        let left_out = report.ticks_left_out.unwrap_or_default();
        lines.push(format!("  ticks      {}", pace(ticks, overruns, left_out)));
    }
    if report.rounds > 0 {
        lines.push(format!("  rounds     {} over", report.rounds));
    }
    lines.extend(report.busy_machine().map(|busy| format!("  machine    {busy}")));
    lines.extend(server(report));
    lines.extend(network(report));
    if let Some(hostile) = &report.hostile {
        lines.push(format!("  hostile    {}", faults(hostile)));
    }
    if let Some(grown) = report.memory_growth_mib() {
        lines.push(format!("  memory     growth {grown:+.1} MiB in the last 40 % of the run"));
    }
    lines.extend(prediction(report));
    lines.extend(battle(report));
    if let Some(path) = &report.replay_path {
        let verdict = match report.replay_verified {
            Some(true) => "verified, bit for bit",
            Some(false) => "DOES NOT VERIFY",
            None => "not verified",
        };
        lines.push(format!("  replay     {} ({verdict})", path.display()));
    }
    lines
}

/// A server of our own has the scenario's mode; of another, its own word counts.
fn head(report: &SwarmReport) -> String {
    let (bots, seconds) = (counted(report.bots, "bot"), report.duration_s);
    match report.server {
        None => format!("{bots}, {}, {seconds:.1} s", report.scenario),
        Some(server) => {
            let mode = report.seen.mode.map_or("mode unknown", mode_name);
            format!("{bots}, {mode} at {server}, {seconds:.1} s")
        }
    }
}

fn clients(report: &SwarmReport) -> String {
    format!(
        "  clients    {} connected, {} lost, {} resumed",
        report.clients_connected,
        report.clients_lost,
        counted(report.clients_resumed, "time")
    )
}

fn server(report: &SwarmReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(cpu) = report.tick_cpu_us {
        let (p50, p99, p999) = (cpu.p50, cpu.p99, cpu.p999);
        lines.push(format!("  tick CPU   {p50:.0} µs p50, {p99:.0} µs p99, {p999:.0} µs p99.9"));
    }
    if let Some(cpu) = report.server_cpu_seconds {
        let memory = report.server_rss_mib.unwrap_or_default();
        let load = 100.0 * cpu / report.duration_s.max(0.001);
        let server = format!("{cpu:.2} s CPU ({load:.0} % of a core), {memory:.0} MiB");
        lines.push(format!("  server     {server}"));
    }
    lines
}

fn network(report: &SwarmReport) -> [String; 3] {
    let (rtt, control) = (report.rtt_ms, &report.control);
    [
        format!("  round trip {:.1} ms p50, {:.1} ms p99", rtt.p50, rtt.p99),
        format!(
            "  snapshots  {} of {} delivered ({:.2} %), {:.0} B/s per client",
            report.updates_delivered,
            report.updates_expected,
            100.0 * report.delivered_share(),
            report.snapshot_bytes_per_client_per_s
        ),
        format!(
            "  control    {:.2} % of ticks had the bot's own input; longest gap {:.0} ms p50, \
             {:.0} ms p99, {:.0} ms max",
            100.0 * control.ticks_played,
            control.without_ms.p50,
            control.without_ms.p99,
            control.without_ms.max
        ),
    ]
}

fn faults(hostile: &HostileReport) -> String {
    format!(
        "{}, {}, {} one way, {} paused, {}; server paused {}, killed {}",
        counted(hostile.spikes, "latency spike"),
        counted(hostile.losses, "loss burst"),
        counted(hostile.dead_ways, "outage"),
        counted(hostile.sleeps, "client"),
        counted(hostile.moves, "address change"),
        counted(hostile.server_stalls, "time"),
        counted(hostile.server_kills, "time")
    )
}

fn prediction(report: &SwarmReport) -> [String; 2] {
    let (lane, correction) = (&report.lane, report.correction_m);
    [
        format!(
            "  lane       {}: {} sealed at the end, {:.1} % of all datagrams, {} fell back",
            lane.asked,
            counted(lane.clients_sealed, "bot"),
            100.0 * lane.sealed_share(),
            lane.fallbacks
        ),
        format!(
            "  correction {:.3} m p50, {:.3} m p99, {:.3} m max",
            correction.p50, correction.p99, correction.max
        ),
    ]
}

/// The server's own counts; without them, what the bots saw.
fn battle(report: &SwarmReport) -> Vec<String> {
    if let Some(shots) = report.shots {
        let count = |number: Option<u64>, noun| counted(number.unwrap_or_default(), noun);
        return vec![format!(
            "  battle     {}, {}, {}, {}",
            counted(shots, "shot"),
            count(report.hits, "hit"),
            count(report.kills, "kill"),
            count(report.captures, "capture")
        )];
    }
    let seen = &report.seen;
    let (shots, kills) = (counted(seen.shots, "shot"), counted(seen.kills, "kill"));
    let standing = seen.mode.and_then(|mode| score(mode, seen.score));
    let standing = standing.map_or_else(String::new, |score| format!(", {score}"));
    let note = "as the bots saw it: a server that is not ours tells no counts";
    vec![format!("  battle     {shots}, {kills}{standing} ({note})")]
}

#[cfg(test)]
mod tests {
    use sortie_players::swarm::Seen;
    use sortie_sim::config::Mode;

    use super::*;

    #[test]
    fn of_another_server_the_report_tells_what_the_bots_saw() {
        let seen = Seen { mode: Some(Mode::Deathmatch), shots: 12, kills: 1, score: [1, 0] };
        let server = Some("192.0.2.7:7777".parse().unwrap());
        let report = SwarmReport { bots: 1, server, seen, ..SwarmReport::default() };
        let text = lines(&report).join("\n");
        assert!(text.starts_with("1 bot, deathmatch at 192.0.2.7:7777, 0.0 s\n"), "{text}");
        assert!(text.contains("12 shots, 1 kill, score 1 : 0 (as the bots saw it"), "{text}");
        assert!(!text.contains("ticks  ") && !text.contains("tickets"), "{text}");
    }

    #[test]
    fn a_single_fault_is_not_told_in_the_plural() {
        let hostile = HostileReport { spikes: 1, server_kills: 1, ..HostileReport::default() };
        let told = faults(&hostile);
        assert!(told.starts_with("1 latency spike, 0 loss bursts, 0 outages one way"), "{told}");
        assert!(told.ends_with("server paused 0 times, killed 1 time"), "{told}");
    }
}
