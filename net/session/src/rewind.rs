//! How far back a shot may look: no further than what its client can have seen.
//!
//! The rule has two bounds, and the later one counts. A client shows others at most
//! [`INTERPOLATION_TICKS_MAX`] ticks behind the newest snapshot that it acknowledges beside the
//! input. And whatever it acknowledges: what it sees is a round trip and that interpolation old,
//! never more than the rules' cap. So acknowledging old snapshots, or none, moves nothing back.

use std::time::Duration;

/// Ticks that a client may show others behind its newest snapshot.
pub const INTERPOLATION_TICKS_MAX: u32 = 8;

/// The oldest tick that a client can show when it sends its input for `tick` with an
/// acknowledgement of `ack_tick`. Without any (0) it has seen nothing, and shows nothing.
pub(crate) fn oldest_shown(tick: u32, ack_tick: u32) -> u32 {
    match ack_tick {
        0 => tick,
        ack_tick => ack_tick.saturating_sub(INTERPOLATION_TICKS_MAX).min(tick),
    }
}

/// Ticks that a shot may be rewound over a path with this round trip, `ticks_max` at most.
pub(crate) fn rewind_ticks(rtt: Duration, tick_hz: u16, ticks_max: u32) -> u32 {
    let rtt_ticks = (rtt.as_secs_f32() * f32::from(tick_hz)).ceil() as u32;
    rtt_ticks.saturating_add(INTERPOLATION_TICKS_MAX).min(ticks_max)
}
