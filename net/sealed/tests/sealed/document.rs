//! Section 15 of `docs/protocol.md` and the code say the same, byte for byte. Its examples were
//! computed with another implementation.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::HEXLOWER;
use ring::aead::{AES_128_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};
use sortie_sealed::{
    EXPORTER_LABEL, Header, LaneConfig, LaneSecrets, PACKET_BYTES_MAX, PAYLOAD_BYTES_MAX, Report,
    Side, Suite, WINDOW_PACKETS, exporter_context,
};

use crate::pair::{Pair, SESSION, open, seal};

const DOCUMENT: &str = include_str!("../../../../docs/protocol.md");

/// The values of one suite's example, by name.
struct Example {
    suite: Suite,
    values: BTreeMap<&'static str, Vec<u8>>,
}

impl Example {
    fn all() -> [Self; 2] {
        [
            Self::read("aes_128_gcm", Suite::Aes128Gcm),
            Self::read("chacha20_poly1305", Suite::ChaCha20Poly1305),
        ]
    }

    fn read(name: &str, suite: Suite) -> Self {
        let start = format!("\n```sealed {name}\n");
        let (_, rest) = DOCUMENT.split_once(&start).unwrap_or_else(|| panic!("no {name}"));
        let (block, _) = rest.split_once("\n```").unwrap();
        let values = block.lines().map(|line| {
            let (name, value) = line.split_once(' ').unwrap();
            (name, bytes(value.trim()))
        });
        Self { suite, values: values.collect() }
    }

    fn get(&self, name: &str) -> &[u8] {
        self.values.get(name).unwrap_or_else(|| panic!("the example lacks {name}"))
    }

    fn secrets(&self) -> LaneSecrets {
        LaneSecrets::from_exporter(self.get("exported").try_into().unwrap())
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(secret: &[u8], info: &str, len: usize) -> Vec<u8> {
    // The info has to be a row of the table.
    assert!(DOCUMENT.contains(&format!("\n| {info} | ")), "no row for {info}");
    let mut out = vec![0; len];
    let secret = Prk::new_less_safe(HKDF_SHA256, secret);
    secret.expand(&[info.as_bytes()], Length(len)).unwrap().fill(&mut out).unwrap();
    out
}

#[test]
fn keys_come_from_the_exporter_as_written() {
    for example in Example::all() {
        assert_eq!(exporter_context(SESSION, example.suite), example.get("context"));
        let secrets = example.secrets();
        assert_eq!(secrets.client, example.get("client_0_secret"));
        assert_eq!(secrets.server, example.get("server_0_secret"));
        let next = expand(&secrets.client, "sortie sealed next", 32);
        assert_eq!(hex(&next), hex(example.get("client_1_secret")));
        for phase in ["client_0", "client_1", "server_0"] {
            let get = |what: &str| example.get(&format!("{phase}_{what}"));
            let key_len = if example.suite == Suite::Aes128Gcm { 16 } else { 32 };
            let key = expand(get("secret"), "sortie sealed key", key_len);
            assert_eq!(hex(&key), hex(get("key")), "{phase}");
            let iv = expand(get("secret"), "sortie sealed iv", 12);
            assert_eq!(hex(&iv), hex(get("iv")), "{phase}");
        }
    }
    assert!(DOCUMENT.contains(&format!("`{}`", str::from_utf8(EXPORTER_LABEL).unwrap())));
}

/// Sealed by the rules of the document alone: nothing of the crate's own but the header.
#[test]
fn packets_are_what_the_rules_give() {
    let packets = [
        ("input", "client_0"),
        ("snapshot", "server_0"),
        ("echo", "client_0"),
        ("rekeyed", "client_1"),
    ];
    for example in Example::all() {
        for (name, phase) in packets {
            let packet = example.get(&format!("{name}_packet"));
            let algorithm = match example.suite {
                Suite::Aes128Gcm => &AES_128_GCM,
                Suite::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            };
            let key = UnboundKey::new(algorithm, example.get(&format!("{phase}_key"))).unwrap();
            let mut nonce: [u8; 12] = example.get(&format!("{phase}_iv")).try_into().unwrap();
            (0..4).for_each(|at| nonce[11 - at] ^= packet[5 + at]);
            let mut sealed = example.get(&format!("{name}_plain")).to_vec();
            LessSafeKey::new(key)
                .seal_in_place_append_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(&packet[..9]),
                    &mut sealed,
                )
                .unwrap();
            assert_eq!(hex(&packet[9..]), hex(&sealed), "{name}");
        }
    }
}

#[test]
fn the_code_writes_and_reads_the_example() {
    for example in Example::all() {
        let config = LaneConfig { rekey_after_packets: 2, ..LaneConfig::default() };
        let mut pair = Pair::with_secrets(example.suite, &example.secrets(), config);
        let packet = |name: &str| example.get(&format!("{name}_packet"));

        let input = pair.client_sends(example.get("input_plain"));
        assert_eq!(hex(&input), hex(packet("input")));
        assert_eq!(open(&mut pair.server, pair.now, &input).unwrap(), example.get("input_plain"));

        pair.pass(5);
        let plain = example.get("snapshot_plain");
        let challenge = *plain.first_chunk().unwrap();
        pair.server.set_challenge(Some(challenge));
        let snapshot = pair.server_sends(&plain[18..]);
        assert_eq!(hex(&snapshot), hex(packet("snapshot")));
        assert_eq!(open(&mut pair.client, pair.now, &snapshot).unwrap(), plain[18..]);

        let echo = pair.client_sends(&[]);
        assert_eq!(hex(&echo), hex(packet("echo")));
        let mut sealed = echo.clone();
        let opened = pair.server.open(pair.now, &mut sealed).unwrap();
        assert_eq!((opened.challenge, opened.payload), (Some(challenge), &[][..]));

        let rekeyed = pair.client_sends(example.get("rekeyed_plain"));
        assert_eq!(hex(&rekeyed), hex(packet("rekeyed")));
        open(&mut pair.server, pair.now, &rekeyed).unwrap();
        assert_eq!(pair.server.counters().opened, 3);
        assert_eq!(pair.client.rtt(), Some(Duration::ZERO));
    }
}

#[test]
fn numbers_of_the_text_are_those_of_the_code() {
    let with_commas = |number: u32| {
        let digits = number.to_string();
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out
    };
    let (_, section) = DOCUMENT.split_once("\n## 15. The sealed lane\n").unwrap();
    for (number, context) in [
        (Header::NUMBER_MAX, "the last is "),
        (WINDOW_PACKETS - 1, "one of the "),
        (WINDOW_PACKETS, "window of "),
        (WINDOW_PACKETS, "when it sealed its last "),
        (PACKET_BYTES_MAX as u32, "A packet has 25 to "),
        (PAYLOAD_BYTES_MAX as u32, "| 0 to "),
        (sortie_sealed::OVERHEAD_BYTES_MIN as u32, "the lane adds "),
        (sortie_sealed::CHALLENGE_BYTES as u32, "| 0 or "),
        (sortie_sealed::REPORT_BYTES as u32, "| 0 or "),
        (sortie_sealed::REPORT_INTERVAL_PACKETS, "a multiple of "),
        (sortie_sealed::AMPLIFICATION_LIMIT as u32, "gets at most "),
        (sortie_sealed::CHANGE_INTERVAL.as_millis() as u32, "At most one change in "),
        (sortie_sealed::SILENCE.as_secs() as u32, "nothing authentic came for "),
        (LaneConfig::default().rekey_after_packets.ilog2(), "at the latest after 2^"),
        (LaneConfig::default().forged_packets_max.ilog2(), "A lane on which 2^"),
    ] {
        let text = format!("{context}{}", with_commas(number));
        assert!(section.contains(&text), "section 15 lacks {text:?}");
    }
    for suite in Suite::ALL {
        let name = if suite == Suite::Aes128Gcm { "AES-128-GCM" } else { "ChaCha20-Poly1305" };
        let text = format!("uite {} is {name}", suite as u8);
        assert!(section.contains(&text), "section 15 lacks {text:?}");
    }
    let report = Report { highest: 0, received: 1, delay_ms: u16::MAX };
    assert!(section.contains(&format!("{} for more", with_commas(report.delay_ms.into()))));
}

/// Sides do not seal with each other's secret.
#[test]
fn each_direction_has_its_own_secret() {
    let example = &Example::all()[0];
    let secrets = example.secrets();
    assert_eq!(secrets.sealing(Side::Client), secrets.opening(Side::Server));
    assert_eq!(secrets.sealing(Side::Server), secrets.opening(Side::Client));
    let mut pair = Pair::with_secrets(example.suite, &secrets, LaneConfig::default());
    let ours = seal(&mut pair.client, pair.now, &[0; 4]);
    let theirs = seal(&mut pair.server, pair.now, &[0; 4]);
    assert_eq!(ours[..9], theirs[..9]);
    assert_ne!(ours[9..], theirs[9..]);
}
