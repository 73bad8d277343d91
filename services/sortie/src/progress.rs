//! What the live display of a swarm says.

use sortie_players::swarm::Progress;

/// One line for how far a swarm is.
pub fn line(progress: &Progress) -> String {
    let Progress { connected, lost, tick, rtt_ms, snapshots_per_s, tickets, .. } = progress;
    format!(
        "tick {tick}  {connected} in, {lost} lost  rtt {rtt_ms:.1} ms  \
         {snapshots_per_s:.0} snapshots/s  tickets {} : {}",
        tickets[0], tickets[1]
    )
}
