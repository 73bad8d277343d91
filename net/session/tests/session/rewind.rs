//! How far back a shot may look: what the client can have seen, and nothing beyond it.

use std::time::{Duration, Instant};

use sortie_link_sim::{Link, LinkConfig};
use sortie_session::{
    client::ClientSession,
    delta_cache::DeltaCache,
    inputs::Origin,
    peer::{LossCounters, Peer, SendError},
    priority::{Viewer, Viewpoint},
    rewind::INTERPOLATION_TICKS_MAX,
    server::{ServerSession, SessionConfig, SnapshotSource},
    slots::Visible,
};
use sortie_wire::{
    input::{InputCommand, InputDatagram},
    limits::{DATAGRAM_BYTES_MAX, INPUT_BYTES_MAX},
    message::LoadStep,
    state::SelfState,
};

use crate::common::{World, as_sets, seed};

/// A lane of which only the round trip is of interest.
struct Path(Duration);

impl Peer for Path {
    fn send_datagram(&mut self, _: &[u8]) -> Result<(), SendError> {
        Err(SendError::Closed)
    }

    fn max_datagram(&self) -> usize {
        0
    }

    fn rtt(&self) -> Duration {
        self.0
    }

    fn loss(&self) -> LossCounters {
        LossCounters::default()
    }
}

fn config(tick_hz: u16) -> SessionConfig {
    // 200 ms, as the simulation counts them.
    let rewind_ticks_max = (0.2 * f32::from(tick_hz)) as u32;
    SessionConfig { tick_hz, rewind_ticks_max, ..SessionConfig::default() }
}

/// Ticks that an input for tick 1,000 is granted when it claims to see `back` ticks into the past
/// and acknowledges the snapshot `acknowledged` ticks before it, if any.
fn granted(tick_hz: u16, rtt: Duration, back: u32, acknowledged: Option<u32>) -> u32 {
    let mut session = ServerSession::new(config(tick_hz), 999);
    session.note_path(&Path(rtt));
    let input = InputCommand { tick: 1_000, view_tick: 1_000 - back, ..InputCommand::default() };
    let ack = acknowledged.map_or(0, |before| 1_000 - before);
    let datagram = InputDatagram::new(ack, 0, &[input]).unwrap();
    session.handle_input_datagram(datagram.encode(&mut [0; INPUT_BYTES_MAX]), 999);
    1_000 - session.take_input(1_000).command.view_tick
}

/// Round trip in tenths of a millisecond, ticks a second, ticks that are granted at most.
const BOUNDS: [(u64, u16, u32); 12] = [
    (0, 20, 4),
    (0, 60, 8),
    (0, 128, 8),
    // A LAN.
    (4, 20, 4),
    (4, 60, 9),
    (4, 128, 9),
    (500, 20, 4),
    (500, 60, 11),
    (500, 128, 15),
    (2_000, 20, 4),
    (2_000, 60, 12),
    (2_000, 128, 25),
];

#[test]
fn a_shot_looks_back_a_round_trip_and_the_interpolation_and_no_further_than_the_cap() {
    for (tenths_ms, tick_hz, most) in BOUNDS {
        let rtt = Duration::from_micros(tenths_ms * 100);
        for back in 0..60 {
            let told = format!("{rtt:?}, {tick_hz} Hz, {back} ticks back");
            // Acknowledged so long ago that it bounds nothing.
            assert_eq!(granted(tick_hz, rtt, back, Some(200)), back.min(most), "{told}");
        }
    }
}

#[test]
fn a_shot_looks_back_the_interpolation_from_what_its_datagram_acknowledges() {
    for (tenths_ms, tick_hz, most) in BOUNDS {
        let rtt = Duration::from_micros(tenths_ms * 100);
        for acknowledged in 0..40 {
            let most = most.min(acknowledged + INTERPOLATION_TICKS_MAX);
            let told = format!("{rtt:?}, {tick_hz} Hz, {acknowledged} ticks acknowledged");
            assert_eq!(granted(tick_hz, rtt, 60, Some(acknowledged)), most, "{told}");
            assert_eq!(granted(tick_hz, rtt, most, Some(acknowledged)), most, "{told}");
        }
    }
}

#[test]
fn who_has_seen_nothing_shoots_at_the_present() {
    for (tenths_ms, tick_hz, _) in BOUNDS {
        let rtt = Duration::from_micros(tenths_ms * 100);
        for back in [0, 1, 5, 60, 999] {
            assert_eq!(granted(tick_hz, rtt, back, None), 0, "{rtt:?}, {tick_hz} Hz");
        }
    }
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_grants_nothing() {
    for ack_tick in [1_000, 1_001, 1_004, 5_000, u32::MAX] {
        let mut session = ServerSession::new(config(60), 999);
        session.note_path(&Path(Duration::from_millis(200)));
        let input = InputCommand { tick: 1_000, view_tick: 0, ..InputCommand::default() };
        let datagram = InputDatagram::new(ack_tick, u32::MAX - 1, &[input]).unwrap();
        session.handle_input_datagram(datagram.encode(&mut [0; INPUT_BYTES_MAX]), 999);
        let view_tick = session.take_input(1_000).command.view_tick;
        assert!((992..=1_000).contains(&view_tick), "{ack_tick}: {view_tick}");
    }
}

/// What a client does with its acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Acks {
    /// As the page says.
    Honest,
    /// None at all.
    Never,
    /// The first one for ever.
    First,
    /// The one of half a second ago.
    Old,
    /// Every tenth datagram has one.
    Rarely,
}

/// Plays 5 s over a path of this round trip. Gives how far back inputs were granted to look, most
/// and least, once the clocks have settled; `shown` ticks behind the newest snapshot is what the
/// client claims to see, `None` the beginning of time.
fn play(tick_hz: u16, rtt: Duration, acks: Acks, shown: Option<u32>) -> (u32, u32) {
    let link = LinkConfig { delay: rtt / 2, ..LinkConfig::default() };
    let start = Instant::now();
    let mut world = World::new(2, 20.0, 1);
    let mut server = ServerSession::new(config(tick_hz), 0);
    // The welcome has come half a round trip.
    let mut client = ClientSession::new(start + rtt / 2, tick_hz, 0, rtt);
    let mut cache = DeltaCache::default();
    let mut up: Link<Vec<u8>> = Link::new(link, 1);
    let mut down: Link<Vec<u8>> = Link::new(link, 2);
    let mut acknowledged: Vec<(u32, u32)> = Vec::new();
    let (mut most, mut least) = (0, u32::MAX);
    let period = Duration::from_secs(1) / u32::from(tick_hz);
    let mut now = start;
    for tick in 1..=5 * u32::from(tick_hz) {
        // Ten looks at the network a tick.
        for _ in 0..10 {
            now += period / 10;
            while let Some(datagram) = down.poll(now) {
                client.handle_snapshot(now, &datagram);
            }
            while client.clock().next_tick_at() <= now {
                let at = client.clock().next_tick_at();
                let own = client.advance(at);
                let newest = client.newest().map_or(0, |newest| newest.snapshot.header.tick);
                let view_tick = shown.map_or(0, |shown| newest.saturating_sub(shown));
                let input = InputCommand { tick: own, view_tick, ..InputCommand::default() };
                let mut out = [0; INPUT_BYTES_MAX];
                let datagram = client.push_input(input, &mut out);
                let honest = InputDatagram::decode(datagram).unwrap();
                acknowledged.push((honest.ack_tick, honest.ack_bits));
                let so_far = acknowledged.iter().filter(|(ack, _)| *ack > 0);
                let (ack, bits) = match acks {
                    Acks::Honest => (honest.ack_tick, honest.ack_bits),
                    Acks::Never => (0, 0),
                    Acks::First => so_far.copied().next().unwrap_or_default(),
                    Acks::Old => {
                        let ago = acknowledged.len().saturating_sub(usize::from(tick_hz) / 2);
                        acknowledged[ago.min(acknowledged.len() - 1)]
                    }
                    Acks::Rarely if own.is_multiple_of(10) => (honest.ack_tick, honest.ack_bits),
                    Acks::Rarely => (0, 0),
                };
                let datagram = InputDatagram::new(ack, bits, honest.commands()).unwrap();
                let mut out = [0; INPUT_BYTES_MAX];
                let datagram = datagram.encode(&mut out).to_vec();
                let bytes = datagram.len();
                up.push(at, datagram, bytes);
            }
            while let Some(datagram) = up.poll(now) {
                server.handle_input_datagram(&datagram, world.tick);
            }
        }
        world.step();
        server.note_path(&Path(rtt));
        let taken = server.take_input(tick);
        if tick > 2 * u32::from(tick_hz) {
            assert_eq!(taken.origin, Origin::Fresh, "{tick_hz} Hz, {rtt:?}, tick {tick}");
            let back = tick - taken.command.view_tick;
            (most, least) = (most.max(back), least.min(back));
        }
        let (soldiers, props) = as_sets(&world.visible(0, 40.0));
        let own = SelfState::default();
        let source = SnapshotSource {
            history: &world.history,
            visible: Visible { soldiers: &soldiers, props: &props },
            viewer: Viewer { team_view: 0, from: Viewpoint::default(), ..Viewer::default() },
            own: &own,
            sounds: &[],
            hits: &[],
            load: LoadStep::Normal,
        };
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let bytes = server.encode_snapshot(&source, &mut cache, &mut out);
        down.push(now, out[..bytes].to_vec(), bytes);
    }
    (most, least)
}

#[test]
fn withheld_acknowledgements_gain_nothing() {
    seed();
    for (tenths_ms, tick_hz, bound) in BOUNDS {
        let rtt = Duration::from_micros(tenths_ms * 100);
        let (honest, _) = play(tick_hz, rtt, Acks::Honest, None);
        assert!(honest <= bound, "{honest} of {bound}");
        for acks in [Acks::Never, Acks::First, Acks::Old, Acks::Rarely] {
            let (most, _) = play(tick_hz, rtt, acks, None);
            assert!(most <= honest, "{tick_hz} Hz, {rtt:?}, {acks:?}: {most}, honest {honest}");
        }
    }
}

#[test]
fn what_an_honest_client_shows_is_granted_to_it() {
    seed();
    for (tenths_ms, tick_hz, _) in BOUNDS {
        let rtt = Duration::from_micros(tenths_ms * 100);
        // Two ticks behind the newest snapshot is what clients show of others on a steady path.
        let (most, least) = play(tick_hz, rtt, Acks::Honest, Some(2));
        let cap = config(tick_hz).rewind_ticks_max;
        let rtt_ticks = (rtt.as_secs_f32() * f32::from(tick_hz)).ceil() as u32;
        let told = format!("{tick_hz} Hz, {rtt:?}: {least} to {most}");
        println!("{told}");
        assert!(least >= cap.min(rtt_ticks + 2), "{told}");
        assert!(most <= cap.min(rtt_ticks + INTERPOLATION_TICKS_MAX), "{told}");
        assert!(most < rtt_ticks + INTERPOLATION_TICKS_MAX || most == cap, "cut short: {told}");
    }
}
