//! `docs/protocol.md` and the code say the same: examples, constants, close codes.

use std::collections::BTreeMap;

use sortie_wire::{close::CloseCode, limits::*, resume::RESUME_TOKEN_BYTES, state};

use crate::{hex, samples};

const DOCUMENT: &str = include_str!("../../../../docs/protocol.md");

/// Code blocks that start with this kind, by the name that follows it.
fn blocks(kind: &str) -> Vec<(&'static str, &'static str)> {
    let start = format!("```{kind} ");
    let mut found = Vec::new();
    for part in DOCUMENT.split("\n```").map(|part| part.trim_start_matches('\n')) {
        let opening = format!("{kind} ");
        if let Some((head, body)) = part.split_once('\n')
            && let Some(name) = head.strip_prefix(&opening)
        {
            found.push((name, body));
        }
    }
    assert!(!found.is_empty(), "no block starts with {start}");
    found
}

fn sample(name: &str) -> Vec<u8> {
    let samples: BTreeMap<_, _> = samples::all_bytes().into_iter().collect();
    samples.get(name).unwrap_or_else(|| panic!("no sample is called {name}")).clone()
}

#[test]
fn hex_examples_are_what_the_code_writes() {
    let blocks = blocks("hex");
    assert_eq!(blocks.len(), 7);
    for (name, text) in blocks {
        let bytes = hex::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(hex::print(&bytes), hex::print(&sample(name)), "{name}");
    }
}

#[test]
fn bit_by_bit_examples_are_what_the_code_writes() {
    let blocks = blocks("bits");
    assert_eq!(blocks.len(), 2);
    for (name, text) in blocks {
        let mut bits = Vec::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let width: u32 = words.next().unwrap().parse().unwrap();
            let value = number(words.next().unwrap());
            // The slow and obvious packer: nothing of the crate's own.
            bits.extend((0..width).map(|bit| value >> bit & 1 == 1));
        }
        let byte = |bits: &[bool]| {
            bits.iter().enumerate().fold(0u8, |byte, (at, &bit)| byte | u8::from(bit) << at)
        };
        let bytes: Vec<_> = bits.chunks(8).map(byte).collect();
        assert_eq!(hex::print(&bytes), hex::print(&sample(name)), "{name}");
    }
}

/// Decimal, hexadecimal, binary, negative, or single precision; as the bits that travel.
fn number(text: &str) -> u32 {
    let parsed = if let Some(digits) = text.strip_prefix("0x") {
        u32::from_str_radix(digits, 16).ok()
    } else if let Some(digits) = text.strip_prefix("0b") {
        u32::from_str_radix(digits, 2).ok()
    } else if let Some(float) = text.strip_prefix('f') {
        float.parse::<f32>().ok().map(f32::to_bits)
    } else {
        text.parse::<i64>().ok().map(|value| value as u32)
    };
    parsed.unwrap_or_else(|| panic!("{text:?} is no number"))
}

#[test]
fn constants_have_the_values_of_the_code() {
    let constants = [
        ("PROTOCOL_VERSION", u64::from(PROTOCOL_VERSION)),
        ("LANE_AES_128_GCM", u64::from(LANE_AES_128_GCM)),
        ("LANE_CHACHA20_POLY1305", u64::from(LANE_CHACHA20_POLY1305)),
        ("TICK_HZ_MIN", u64::from(TICK_HZ_MIN)),
        ("TICK_HZ_MAX", u64::from(TICK_HZ_MAX)),
        ("TICK_HZ_DEFAULT", u64::from(TICK_HZ_DEFAULT)),
        ("DATAGRAM_BYTES_MAX", DATAGRAM_BYTES_MAX as u64),
        ("INPUT_COMMANDS_MAX", INPUT_COMMANDS_MAX as u64),
        ("INPUT_BYTES_MAX", INPUT_BYTES_MAX as u64),
        ("INPUT_WINDOW_TICKS", u64::from(INPUT_WINDOW_TICKS)),
        ("BASELINE_TICKS", u64::from(BASELINE_TICKS)),
        ("ENTITY_ID_END", u64::from(ENTITY_ID_END)),
        ("FIRST_PROP_ID", u64::from(FIRST_PROP_ID)),
        ("ENTITIES_MAX", ENTITIES_MAX as u64),
        ("SOUNDS_MAX", SOUNDS_MAX as u64),
        ("HITS_MAX", HITS_MAX as u64),
        ("MESSAGE_BYTES_MAX", MESSAGE_BYTES_MAX as u64),
        ("CLIENT_MESSAGE_BYTES_MAX", CLIENT_MESSAGE_BYTES_MAX as u64),
        ("DOCUMENTS_BYTES_MAX", DOCUMENTS_BYTES_MAX as u64),
        ("NAME_BYTES_MAX", NAME_BYTES_MAX as u64),
        ("CLOSE_TEXT_BYTES_MAX", CLOSE_TEXT_BYTES_MAX as u64),
        ("NOTICE_BYTES_MAX", NOTICE_BYTES_MAX as u64),
        ("AUDIENCE_BYTES_MAX", AUDIENCE_BYTES_MAX as u64),
        ("TICKET_BYTES_MAX", TICKET_BYTES_MAX as u64),
        ("RESUME_TOKEN_BYTES", RESUME_TOKEN_BYTES as u64),
        ("TICKET_LIFE_MS_MAX", TICKET_LIFE_MS_MAX),
        ("CLOCK_LEEWAY_MS", CLOCK_LEEWAY_MS),
        ("ANGLE_STEP", u64::from(state::ANGLE_STEP)),
        ("Y_OFFSET_CM", u64::from(state::Y_OFFSET_CM)),
    ];
    for (name, value) in constants {
        let row = format!("\n| `{name}` | {value} |\n");
        assert!(DOCUMENT.contains(&row), "the document lacks{row}");
    }
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `") && line.ends_with("|"));
    assert_eq!(rows.count(), constants.len(), "the document has constants that the code lacks");
    assert_eq!(ALPN, b"sortie/1");
    assert!(DOCUMENT.contains("ALPN is `sortie/1`"));
}

#[test]
fn close_codes_are_those_of_the_code() {
    for &code in CloseCode::ALL {
        let last = if code.is_final() { "yes" } else { "no" };
        let row = format!("\n| {} | {code:?} | {last} | {code} |\n", code.number());
        assert!(DOCUMENT.contains(&row), "the document lacks{row}");
    }
}

#[test]
fn messages_have_the_numbers_of_the_code() {
    let clients = samples::client_messages().into_iter();
    let servers = samples::server_messages().into_iter();
    let rows = clients
        .map(|(_, message)| (format!("{message:?}"), message.encode().unwrap()[0]))
        .chain(servers.map(|(_, message)| (format!("{message:?}"), message.encode().unwrap()[0])));
    for (debug, number) in rows {
        let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let row = format!("\n| {number} | {name} |");
        assert!(DOCUMENT.contains(&row), "the document lacks{row}");
    }
}
