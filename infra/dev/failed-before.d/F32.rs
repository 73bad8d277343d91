//! F32: the commands of docs/accounts.md call the API where it listens.
//! Goes to services/sortie/tests.
#![allow(dead_code, reason = "of the tests' helpers a part is used")]

mod common;

#[test]
fn the_page_calls_the_api_where_it_listens() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/accounts.md");
    let page = std::fs::read_to_string(path).unwrap();
    let api = page.lines().find_map(|line| line.strip_prefix("API=http://")).unwrap();
    let help = common::sortie(&["serve", "--help"]).stdout;
    assert!(help.contains("[default: 127.0.0.1:"), "{help}");
    let is_right = help.contains(&format!("[default: {api}]"));
    assert!(is_right, "F32: the page calls {api}, where nothing listens");
}
