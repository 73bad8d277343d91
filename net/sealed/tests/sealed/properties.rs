//! What holds for all packets: of one lane's ends and of the window.

use std::collections::{BTreeSet, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;
use sortie_sealed::{
    Header, LaneConfig, OpenError, PAYLOAD_BYTES_MAX, ReplayWindow, SealError, Suite,
    WINDOW_PACKETS,
};

use crate::pair::{Pair, open};

fn suites() -> impl Strategy<Value = Suite> {
    prop_oneof![Just(Suite::Aes128Gcm), Just(Suite::ChaCha20Poly1305)]
}

proptest! {
    #[test]
    fn every_payload_arrives(
        suite in suites(),
        payloads in vec(vec(any::<u8>(), 0..=PAYLOAD_BYTES_MAX), 1..20),
        challenge in any::<Option<[u8; 8]>>(),
    ) {
        let mut pair = Pair::new(suite, LaneConfig::default());
        pair.server.set_challenge(challenge);
        for payload in payloads {
            let packet = pair.client_sends(&payload);
            prop_assert_eq!(open(&mut pair.server, pair.now, &packet), Ok(payload.clone()));
            let packet = pair.server_sends(&payload);
            prop_assert_eq!(open(&mut pair.client, pair.now, &packet), Ok(payload));
        }
    }

    #[test]
    fn a_packet_with_any_bit_flipped_is_refused(
        suite in suites(),
        payload in vec(any::<u8>(), 0..200),
        before in 0..20,
        at in any::<prop::sample::Index>(),
    ) {
        let config = LaneConfig { rekey_after_packets: 8, ..LaneConfig::default() };
        let mut pair = Pair::new(suite, config);
        for _ in 0..before {
            let packet = pair.client_sends(&[]);
            open(&mut pair.server, pair.now, &packet).unwrap();
        }
        let packet = pair.client_sends(&payload);
        let mut forged = packet.clone();
        let bit = at.index(packet.len() * 8);
        forged[bit / 8] ^= 1 << (bit % 8);
        let refused = open(&mut pair.server, pair.now, &forged);
        prop_assert!(refused.is_err(), "bit {bit}");
        prop_assert!(refused != Err(OpenError::Malformed), "bit {bit} was believed");
        // And the lane is none the worse for it.
        prop_assert_eq!(open(&mut pair.server, pair.now, &packet), Ok(payload));
    }

    #[test]
    fn a_packet_cut_or_lengthened_is_refused(
        payload in vec(any::<u8>(), 0..100),
        cut in any::<prop::sample::Index>(),
        more in vec(any::<u8>(), 1..30),
    ) {
        let mut pair = Pair::new(Suite::Aes128Gcm, LaneConfig::default());
        let packet = pair.client_sends(&payload);
        let shorter = &packet[..cut.index(packet.len())];
        prop_assert!(open(&mut pair.server, pair.now, shorter).is_err());
        prop_assert!(open(&mut pair.server, pair.now, &[&packet[..], &more].concat()).is_err());
        prop_assert_eq!(open(&mut pair.server, pair.now, &packet), Ok(payload));
    }

    #[test]
    fn no_stranger_is_believed(bytes in vec(any::<u8>(), 0..100), flags in 0x10..0x18u8) {
        let mut pair = Pair::new(Suite::Aes128Gcm, LaneConfig::default());
        let genuine = pair.client_sends(&bytes);
        let mut pair = Pair::new(Suite::Aes128Gcm, LaneConfig::default());
        let mut forged = bytes.clone();
        if let Some(head) = forged.first_chunk_mut::<5>() {
            *head = *genuine.first_chunk().unwrap();
            head[0] = flags;
        }
        prop_assert!(open(&mut pair.server, pair.now, &forged).is_err());
        prop_assert_eq!(pair.server.counters().opened, 0);
    }

    /// The window against a set that forgets nothing.
    #[test]
    fn the_window_is_the_last_1024_numbers(
        start in prop_oneof![Just(0), any::<u32>()],
        steps in vec((any::<bool>(), 0..1200u32, 0..4000u32), 1..400),
    ) {
        let mut window = ReplayWindow::default();
        let mut seen = BTreeSet::new();
        let mut front = start.min(u32::MAX - 3_000_000);
        for (ahead, back, leap) in steps {
            let number = match ahead {
                // Small leaps are more frequent than those beyond the window.
                true => front + leap % (1 + leap % 1500),
                false => front.saturating_sub(back),
            };
            let highest = seen.last().copied();
            let expected = match highest {
                Some(highest) if number + (WINDOW_PACKETS - 1) < highest => {
                    Err(OpenError::TooOld)
                }
                _ if seen.contains(&number) => Err(OpenError::Replayed),
                _ => Ok(()),
            };
            prop_assert_eq!(window.check(number), expected);
            if expected.is_ok() {
                prop_assert_eq!(window.mark(number), highest.is_none_or(|high| number > high));
                seen.insert(number);
                front = front.max(number);
            }
            prop_assert_eq!(window.highest(), seen.last().copied());
        }
    }

    /// Loss, doubles and late packets over many changes of keys: everything that comes in time is
    /// read exactly once, whatever the order.
    #[test]
    fn keys_change_under_loss_doubles_and_disorder(
        suite in suites(),
        phase_packets in 64..200u32,
        fates in vec((0..100u32, 0..60usize, any::<bool>()), 500..1500),
    ) {
        let config = LaneConfig { rekey_after_packets: phase_packets, ..LaneConfig::default() };
        let mut pair = Pair::new(suite, config);
        // (when it arrives, payload, packet): late by up to 59 packets, less than a phase.
        let mut sent = Vec::new();
        for (at, &(luck, late, double)) in fates.iter().enumerate() {
            let payload = (at as u32).to_le_bytes();
            let packet = pair.client_sends(&payload);
            if luck < 30 {
                continue;
            }
            if double {
                sent.push((at + (late * 7 + 13) % 60, at, packet.clone()));
            }
            sent.push((at + late, at, packet));
        }
        sent.sort_by_key(|&(arrives, at, _)| (arrives, at));
        let mut read = HashSet::new();
        for (_, at, packet) in sent {
            let opened = open(&mut pair.server, pair.now, &packet);
            if read.insert(at) {
                prop_assert_eq!(opened, Ok((at as u32).to_le_bytes().to_vec()));
            } else {
                prop_assert_eq!(opened, Err(OpenError::Replayed));
            }
        }
        prop_assert_eq!(pair.server.counters().forged, 0);
    }

    /// Whatever is begun, dropped, too long or finished: sealed packets count up by one, and the
    /// phase turns where it should.
    #[test]
    fn numbers_never_repeat(steps in vec(0..4u8, 1..300), phase_packets in 1..40u32) {
        let config = LaneConfig { rekey_after_packets: phase_packets, ..LaneConfig::default() };
        let mut pair = Pair::new(Suite::Aes128Gcm, config);
        let mut expected = 0;
        for step in steps {
            let mut out = Vec::new();
            let draft = pair.client.begin(pair.now, &mut out).unwrap();
            match step {
                0 => drop(draft),
                1 => {
                    out.resize(1200, 0);
                    let refused = pair.client.finish(draft, &mut out);
                    prop_assert_eq!(refused, Err(SealError::TooLong));
                }
                _ => {
                    pair.client.finish(draft, &mut out).unwrap();
                    let header = Header::read(&out).unwrap();
                    prop_assert_eq!(header.number, expected);
                    prop_assert_eq!(header.phase, expected / phase_packets % 2 == 1);
                    expected += 1;
                }
            }
        }
        prop_assert_eq!(pair.client.sent_and_lost(), (u64::from(expected), 0));
    }

    /// Reports over a line that loses and doubles: never more lost than sent, and in the end what
    /// the line lost.
    #[test]
    fn loss_is_what_the_line_lost(fates in vec(0..10u8, 64..400), wait in 1..50u64) {
        let mut pair = Pair::new(Suite::Aes128Gcm, LaneConfig::default());
        let mut lost = 0;
        for fate in fates {
            let packet = pair.server_sends(&[1]);
            pair.pass(wait);
            match fate {
                0 | 1 => lost += 1,
                _ => drop(open(&mut pair.client, pair.now, &packet)),
            }
            let packet = pair.client_sends(&[2]);
            open(&mut pair.server, pair.now, &packet).unwrap();
            let (sent, known) = pair.server.sent_and_lost();
            prop_assert!(known <= lost && lost <= sent);
            if let Some(rtt) = pair.server.rtt() {
                prop_assert_eq!(rtt.as_millis() as u64, wait);
            }
        }
        // Behind one that arrives all is known, once a report comes through.
        let packet = pair.server_sends(&[]);
        open(&mut pair.client, pair.now, &packet).unwrap();
        for _ in 0..16 {
            let packet = pair.client_sends(&[]);
            open(&mut pair.server, pair.now, &packet).unwrap();
        }
        prop_assert_eq!(pair.server.sent_and_lost().1, lost);
    }
}
