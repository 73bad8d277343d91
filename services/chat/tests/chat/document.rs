//! `docs/chat.md` says what the code does.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sortie_chat::close;
use sortie_chat::wire::{Answer, ChannelEvent, Request};

const DOCUMENT: &str = include_str!("../../../../docs/chat.md");

/// The JSON blocks of one kind: those that begin with "```json KIND".
fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("```json {kind}\n");
    let blocks = DOCUMENT.split(fence.as_str()).skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

/// Reads every block, writes it again, and finds the same; gives the types.
fn round_trip<T: Serialize + DeserializeOwned>(kind: &str) -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for block in blocks(kind) {
        let value: Value = serde_json::from_str(block).expect(block);
        let read: T =
            serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
        assert_eq!(serde_json::to_value(&read).unwrap(), value, "{block}");
        types.insert(value["type"].as_str().unwrap().to_owned());
    }
    types
}

#[test]
fn every_request_answer_and_event_has_a_sample_that_is_read() {
    let requests = [
        "delete", "edit", "hello", "history", "join", "leave", "mute", "ping", "presence",
        "report", "say", "unmute",
    ];
    assert_eq!(Vec::from_iter(round_trip::<Request>("request")), requests);
    assert_eq!(Vec::from_iter(round_trip::<Answer>("answer")), ["error", "ok"]);
    let events = ["deleted", "edited", "gap", "left", "message"];
    assert_eq!(Vec::from_iter(round_trip::<ChannelEvent>("event")), events);
}

#[test]
fn every_close_code_is_explained() {
    for closing in close::ALL {
        let row = format!("| {} | `{}` |", closing.code, closing.why);
        assert!(DOCUMENT.contains(&row), "{row}");
    }
}
