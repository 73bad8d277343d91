//! E23: the protocol's page describes the movement step, so that any client can predict it.
//! Goes to proto/wire/tests.

#[test]
fn the_page_describes_the_movement_step() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut headings = page.lines().filter(|line| line.starts_with("## "));
    let is_there = headings.any(|heading| heading.to_lowercase().contains("movement"));
    assert!(is_there, "E23: no section of docs/protocol.md describes the movement step");
}
