//! What each metric of a node means, for `/metrics` and whoever reads it. A test holds the list
//! against the sources of all services: none is missing, and none is left over.

/// How a metric is kept.
type Describe = fn(&'static str, &'static str);

const COUNTERS: &[(&str, &str)] = &[
    ("sortie_account_cleaned_rows_total", "Rows of ended logins and old tokens removed"),
    ("sortie_account_erasures_total", "Players erased"),
    ("sortie_account_guesses_locked_total", "Logins refused after too many wrong passwords"),
    ("sortie_account_guests_forgotten_total", "Guests erased because they did not come back"),
    ("sortie_account_hashes_refused_total", "Logins refused because too many wait for a hash"),
    ("sortie_account_logins_total", "Logins, by outcome"),
    ("sortie_account_mails_total", "Mails, by outcome"),
    ("sortie_account_refreshes_total", "Refreshed tokens, by outcome"),
    ("sortie_account_sign_ups_total", "New accounts, by kind"),
    ("sortie_admin_bans_total", "Bans, by scope"),
    ("sortie_admin_player_reports_total", "Players reported by others"),
    ("sortie_admin_strangers_total", "Calls for staff without a good token"),
    ("sortie_battles_given_up_total", "Battles cancelled because no server took them in time"),
    ("sortie_battles_lost_total", "Battles given up because their server did not come back"),
    ("sortie_battles_placed_total", "Battles given to a server"),
    ("sortie_battles_requeued_total", "Battles taken from a server that did not begin them"),
    ("sortie_bus_refused_total", "Messages on the bus that were not this deployment's: dropped"),
    ("sortie_chat_closed_total", "Chat sockets closed by the server, by reason"),
    ("sortie_chat_deliveries_total", "Messages handed to sockets"),
    ("sortie_chat_gaps_total", "Times that messages between nodes were missed and read again"),
    ("sortie_chat_messages_total", "Messages stored"),
    ("sortie_database_connects_total", "Connections to Postgres that were opened"),
    ("sortie_database_errors_total", "Calls that failed by Postgres, by kind"),
    ("sortie_fleet_names_refused_total", "Registrations refused: another server has the name"),
    ("sortie_fleet_wrong_secrets_total", "Calls of battle servers and tools with a wrong secret"),
    (
        "sortie_grpc_calls_total",
        "gRPC calls, by method and by the code that their answer began with",
    ),
    ("sortie_http_requests_total", "Calls, by method, route and status"),
    ("sortie_job_rounds_total", "Rounds of background jobs, by job and outcome"),
    ("sortie_leaderboard_fills_total", "Leaderboards filled anew from Postgres"),
    ("sortie_leaderboard_reads_total", "Leaderboards read, by source"),
    ("sortie_matchmaking_backfilled_total", "Players sent into running battles, by queue"),
    ("sortie_matchmaking_join_tickets_total", "Join tickets issued"),
    ("sortie_matchmaking_matches_total", "Matches made, by queue"),
    ("sortie_matchmaking_no_shows_total", "Players who did not come into their battle, by queue"),
    ("sortie_matchmaking_pauses_total", "Pauses of players who let ready checks fail"),
    ("sortie_matchmaking_proposals_total", "Ready checks, by event"),
    ("sortie_matchmaking_tickets_total", "Tickets, by event"),
    ("sortie_outbox_sent_total", "Events published"),
    ("sortie_rating_changes_total", "Players of results, by why they were rated or not"),
    ("sortie_redis_commands_total", "Commands to Redis, by outcome"),
    ("sortie_result_retries_total", "Results tried again after a conflict in the database"),
    ("sortie_results_total", "Reported results, by outcome"),
    ("sortie_results_under_review_total", "Results that do not fit what is known of their battle"),
    ("sortie_retention_removed_total", "Rows removed because they were kept long enough, by table"),
    ("sortie_servers_gone_total", "Battle servers whose lease ran out"),
    ("sortie_task_panics_total", "Work beside calls that panicked, by kind"),
];

const GAUGES: &[(&str, &str)] = &[
    ("sortie_battle_servers", "Battle servers with a lease, by state"),
    ("sortie_battle_watches", "Battles that are watched over this node"),
    ("sortie_battles_asked", "Battles that wait for a server"),
    ("sortie_chat_sockets", "Chat sockets that are open"),
    ("sortie_clock_ahead_seconds", "How far the machine's clock is ahead of the database's"),
    ("sortie_database_connections", "Connections of this node's pool, by state"),
    ("sortie_database_connections_max", "As many connections may be open"),
    ("sortie_fleet_streams", "Battle servers whose stream ends at this node"),
    ("sortie_http_requests_open", "Calls that are being answered"),
    (
        "sortie_job_success_timestamp_seconds",
        "When a round of a background job last succeeded, in seconds since 1970",
    ),
    ("sortie_job_listening", "Whether a background job that listens hears, by job"),
    ("sortie_matchmaking_streams", "Streams of tickets that are open"),
    ("sortie_matchmaking_waiting_players", "Players who wait, by queue"),
    ("sortie_outbox_unsent", "Events that wait to be published, up to 10,000"),
    ("sortie_tasks_open", "Work that may outlive the call that began it, by kind"),
];

const HISTOGRAMS: &[(&str, &str)] = &[
    ("sortie_account_hash_seconds", "Time to compute a password's hash"),
    ("sortie_chat_batch_seconds", "Time to store a batch of messages"),
    ("sortie_database_acquire_seconds", "Waits for a connection, measured once a second"),
    ("sortie_database_answer_seconds", "Time of the smallest query, measured once a second"),
    ("sortie_grpc_call_seconds", "Time until the answer to a gRPC call begins, by method"),
    ("sortie_http_request_seconds", "Time until the answer to a call begins, by method and route"),
    ("sortie_job_seconds", "Time of a round of a background job"),
    ("sortie_matchmaking_pass_seconds", "Time to look through a queue, by queue"),
    ("sortie_matchmaking_wait_seconds", "How long matched players had waited, by queue"),
    ("sortie_redis_command_seconds", "Time of commands to Redis"),
    ("sortie_result_seconds", "Time to store a result"),
];

/// Describes all metrics of a node to the recorder that is installed.
pub fn describe() {
    let kinds: [(Describe, &[(&'static str, &'static str)]); 3] = [
        (|name, help| metrics::describe_counter!(name, help), COUNTERS),
        (|name, help| metrics::describe_gauge!(name, help), GAUGES),
        (|name, help| metrics::describe_histogram!(name, help), HISTOGRAMS),
    ];
    for (describe, metrics) in kinds {
        metrics.iter().for_each(|(name, help)| describe(name, help));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// Names in uses of a macro like `counter!("…"`.
    fn used(text: &str, kind: &str) -> BTreeSet<String> {
        let start = format!("metrics::{kind}!(");
        let uses = text.split(&start).skip(1);
        let names = uses.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
        names.map(str::to_owned).collect()
    }

    #[test]
    fn every_metric_of_the_services_is_described_once_and_as_what_it_is() {
        let services = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        for service in fs::read_dir(services).unwrap() {
            let service = service.unwrap().path();
            // The battle server describes its own; what tests of the kit count is nobody's.
            let is_node = !service.ends_with("battle") && !service.ends_with("kit");
            if is_node && service.join("src").is_dir() {
                sources(&service.join("src"), &mut files);
            }
        }
        assert!(files.len() > 100, "{} files", files.len());
        let texts: Vec<String> =
            files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let kinds = [("counter", COUNTERS), ("gauge", GAUGES), ("histogram", HISTOGRAMS)];
        for (kind, described) in kinds {
            let found: BTreeSet<String> = texts.iter().flat_map(|text| used(text, kind)).collect();
            let names: BTreeSet<String> =
                described.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(names.len(), described.len(), "a {kind} is described twice");
            let missing: Vec<_> = found.difference(&names).collect();
            let left: Vec<_> = names.difference(&found).collect();
            assert!(missing.is_empty(), "a {kind} without a help text: {missing:?}");
            assert!(left.is_empty(), "a {kind} that nobody has: {left:?}");
        }
    }
}
