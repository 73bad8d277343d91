//! Variables of the environment: those that are read, and those that somebody meant.
//!
//! A misspelt variable changes nothing, and whoever set it believes that it does. It is warned of
//! and not refused, because others set such names, too: a container platform gives every process
//! `SORTIE_PORT=tcp://…` when a service is called `sortie`.

use crate::nearest::hint;

/// What our variables begin with.
pub const PREFIX: &str = "SORTIE_";

/// All that `sortie`, `sortie-control` or their tests read. Each program knows those of the other:
/// a machine that runs both has one environment. A test in `infra/tidy` compares the list with
/// what stands at the options.
pub const KNOWN: [&str; 91] = [
    "SORTIE_ACCESS_KEY_FILE",
    "SORTIE_ACCESS_VERIFICATION_KEY_FILE",
    "SORTIE_ADMIN_CORS_ORIGINS",
    "SORTIE_ADMIN_LISTEN",
    "SORTIE_API_LISTEN",
    "SORTIE_BATTLE_ID",
    "SORTIE_BATTLE_LOG_KEPT",
    "SORTIE_BATTLE_PROGRAM",
    "SORTIE_CERT",
    "SORTIE_CHAT_KEPT",
    "SORTIE_CHAT_LISTEN",
    "SORTIE_CHAT_ORIGINS",
    "SORTIE_CONFIG",
    "SORTIE_CONTROL_PLANE",
    "SORTIE_CONTROL_PLANE_ROOTS",
    "SORTIE_CORS_ORIGINS",
    "SORTIE_DATABASE_CONNECTIONS",
    "SORTIE_DATABASE_URL",
    "SORTIE_DATA_DIR",
    "SORTIE_DEV",
    "SORTIE_DEV_TICKETS",
    "SORTIE_DRAIN",
    "SORTIE_DURATION",
    "SORTIE_EMPTY_AFTER",
    "SORTIE_FAILPOINTS",
    "SORTIE_FINGERPRINT",
    "SORTIE_FLEET_LISTEN",
    "SORTIE_FLEET_SECRET",
    "SORTIE_FLEET_SECRET_FILE",
    "SORTIE_GRACE",
    "SORTIE_GRPC_LISTEN",
    "SORTIE_KEY_FILE",
    "SORTIE_LANE",
    "SORTIE_LISTEN",
    "SORTIE_LOG",
    "SORTIE_LOG_FORMAT",
    "SORTIE_MAIL_FROM",
    "SORTIE_MAIL_LOG",
    "SORTIE_MAP",
    "SORTIE_MODE",
    "SORTIE_NAME",
    "SORTIE_OPS",
    "SORTIE_PLAYERS_MAX",
    "SORTIE_PLAYERS_PER_ADDRESS",
    "SORTIE_PUBLIC_ADDRESS",
    "SORTIE_QUEUES",
    "SORTIE_REDIS_PREFIX",
    "SORTIE_REDIS_URL",
    "SORTIE_REPLAYS_KEPT",
    "SORTIE_REPLAYS_MAX",
    "SORTIE_REPLAYS_MIB",
    "SORTIE_REPLAY_THREADS",
    "SORTIE_RESET_LINK",
    "SORTIE_ROLE",
    "SORTIE_RULES",
    "SORTIE_SEED",
    "SORTIE_SHARDS",
    "SORTIE_SIM_MAP",
    "SORTIE_SIM_PLAYERS",
    "SORTIE_SIM_SCENARIO",
    "SORTIE_SIM_SEED",
    "SORTIE_SIM_THREADS",
    "SORTIE_SIM_TICKS",
    "SORTIE_SIM_TICK_HZ",
    "SORTIE_SMTP_URL",
    "SORTIE_SMTP_URL_FILE",
    "SORTIE_SPECTATOR_DELAY",
    "SORTIE_SPOOL_MIB",
    "SORTIE_SPOOL_RESULTS",
    "SORTIE_SWARM_BOTS",
    "SORTIE_SWARM_DATA_DIR",
    "SORTIE_SWARM_DURATION",
    "SORTIE_SWARM_HOSTILE",
    "SORTIE_SWARM_LANE",
    "SORTIE_SWARM_MAP",
    "SORTIE_SWARM_SCENARIO",
    "SORTIE_SWARM_SEED",
    "SORTIE_SWARM_SERVER",
    "SORTIE_SWARM_THREADS",
    "SORTIE_THREADS",
    "SORTIE_TICKET_KEY",
    "SORTIE_TICKET_KEY_FILE",
    "SORTIE_TICKET_PUBLIC_KEY",
    "SORTIE_TICKET_VERIFICATION_KEY_FILE",
    "SORTIE_TICK_HZ",
    "SORTIE_TRUSTED_PROXIES",
    "SORTIE_UP_BOTS",
    "SORTIE_UP_DURATION",
    "SORTIE_UP_PORT",
    "SORTIE_UP_ROUND",
    "SORTIE_UP_SERVERS",
];

/// Logs a warning for each variable that is set and that nobody reads.
pub(crate) fn warn_of_unknown() {
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for warning in warnings(set) {
        tracing::warn!("{warning}");
    }
}

fn warnings(set: impl Iterator<Item = String>) -> Vec<String> {
    let unknown = set.filter(|name| name.starts_with(PREFIX) && !KNOWN.contains(&name.as_str()));
    let warning = |name: String| {
        let hint = hint(&name, KNOWN);
        format!("the environment sets {name}, which nobody reads{hint}")
    };
    let mut warnings: Vec<String> = unknown.map(warning).collect();
    warnings.sort();
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_warned_of_with_the_nearest_name() {
        let set = ["SORTIE_DATABASE_ULR", "SORTIE_DATABASE_URL", "SORTIE_PORT_7700_TCP", "HOME"];
        assert_eq!(
            warnings(set.into_iter().map(str::to_owned)),
            [
                "the environment sets SORTIE_DATABASE_ULR, which nobody reads; is it \
                 `SORTIE_DATABASE_URL`?",
                "the environment sets SORTIE_PORT_7700_TCP, which nobody reads",
            ]
        );
    }
}
