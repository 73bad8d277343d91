//! All messages by one table: bytes -> value -> the same bytes, and every way to break them.

use sortie_wire::{
    DecodeError,
    limits::{
        CLIENT_MESSAGE_BYTES_MAX, DOCUMENTS_BYTES_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX,
        PROTOCOL_VERSION,
    },
    message::{ClientMessage, MessageError, ServerMessage, Text, Welcome},
};

use crate::samples;

/// Bytes -> the bytes of what they decode to.
type Codec = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

fn client(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    ClientMessage::decode(bytes).map(|message| message.encode().unwrap())
}

fn server(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    ServerMessage::decode(bytes).map(|message| message.encode().unwrap())
}

fn table() -> Vec<(&'static str, Vec<u8>, Codec)> {
    let clients = samples::client_messages().into_iter();
    let servers = samples::server_messages().into_iter();
    clients
        .map(|(name, message)| (name, message.encode().unwrap(), client as Codec))
        .chain(servers.map(|(name, message)| (name, message.encode().unwrap(), server as Codec)))
        .collect()
}

#[test]
fn every_message_survives_the_wire() {
    for (name, bytes, codec) in table() {
        assert_eq!(codec(&bytes).as_ref(), Ok(&bytes), "{name}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    for (name, bytes, codec) in table() {
        for len in 0..bytes.len() {
            assert!(codec(&bytes[..len]).is_err(), "{name} cut to {len}");
        }
    }
}

#[test]
fn nothing_may_follow() {
    for (name, mut bytes, codec) in table() {
        bytes.push(0);
        assert_eq!(codec(&bytes), Err(DecodeError::Trailing), "{name}");
    }
}

#[test]
fn any_changed_byte_is_refused_or_means_something_else() {
    for (name, bytes, codec) in table() {
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                if let Ok(again) = codec(&changed) {
                    assert_eq!(again, changed, "{name} with byte {at} = {value}");
                }
            }
        }
    }
}

#[test]
fn a_count_beyond_its_limit_is_refused() {
    // Kinds: 2 kill feed, 3 player list, 4 score board; then the count, written as 251 + u16 or
    // 252 + u32 or 253 + u64.
    for kind in [2, 3, 4] {
        for count in [
            &[251u8, 1, 1][..],
            &[252, 0, 0, 0, 64],
            &[253, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            let bytes = [&[kind], count].concat();
            assert_eq!(ServerMessage::decode(&bytes), Err(DecodeError::OutOfRange), "{bytes:?}");
        }
    }
    // A hello whose ticket claims 250 bytes, and one that claims 200 and brings none.
    let hello = |count| [0, PROTOCOL_VERSION as u8, 0, 0, count];
    assert_eq!(ClientMessage::decode(&hello(250)), Err(DecodeError::OutOfRange));
    assert_eq!(ClientMessage::decode(&hello(200)), Err(DecodeError::Truncated));
}

#[test]
fn a_hello_of_another_version_is_known_as_one() {
    // Version 1 had no lanes: this is a token of no bytes, and was one of its hellos.
    assert_eq!(ClientMessage::decode(&[0, 1, 1, 0]), Err(DecodeError::OtherVersion));
    assert_eq!(ClientMessage::decode(&[0, 4]), Err(DecodeError::OtherVersion));
    assert_eq!(ClientMessage::decode(&[0]), Err(DecodeError::Truncated));
    assert_eq!(ClientMessage::decode(&[5, 1, 1, 0]), Err(DecodeError::Trailing));
}

#[test]
fn a_number_in_a_longer_form_is_refused() {
    assert_eq!(ClientMessage::decode(&[5, 4]), Ok(ClientMessage::SquadOrder { point: 4 }));
    assert_eq!(ClientMessage::decode(&[251, 5, 0, 4]), Err(DecodeError::NotCanonical));
}

#[test]
fn what_is_too_long_is_not_looked_at() {
    let bytes = vec![0; CLIENT_MESSAGE_BYTES_MAX + 1];
    assert_eq!(ClientMessage::decode(&bytes), Err(DecodeError::TooLong));
    let bytes = vec![0; MESSAGE_BYTES_MAX + 1];
    assert_eq!(ServerMessage::decode(&bytes), Err(DecodeError::TooLong));
}

#[test]
fn a_welcome_carries_documents_of_60_kib() {
    let with = |map_bytes, rules_bytes| {
        ServerMessage::Welcome(Box::new(Welcome {
            map: Text::new("m".repeat(map_bytes)).unwrap(),
            rules: Text::new("r".repeat(rules_bytes)).unwrap(),
            ..samples::welcome()
        }))
    };
    let message = with(DOCUMENTS_BYTES_MAX - 1_000, 1_000);
    let bytes = message.encode().unwrap();
    assert!(bytes.len() <= MESSAGE_BYTES_MAX);
    assert_eq!(ServerMessage::decode(&bytes), Ok(message));
    assert_eq!(with(DOCUMENTS_BYTES_MAX, 1).encode(), Err(MessageError::TooLong));
}

#[test]
fn names_are_cut_between_characters() {
    let name = Text::<NAME_BYTES_MAX>::truncated(&"é".repeat(40));
    assert_eq!(name.as_str(), "é".repeat(16));
    let name = Text::<NAME_BYTES_MAX>::truncated(&format!("x{}", "é".repeat(40)));
    assert_eq!(name.len(), NAME_BYTES_MAX - 1);
    assert_eq!(Text::<NAME_BYTES_MAX>::new("x".repeat(33)), None);
}
