//! F29: `bot` takes what `ticket` prints.
//! Goes to services/sortie/tests.
#![allow(dead_code, reason = "of the tests' helpers a part is used")]

mod common;

use common::sortie;

#[test]
fn ticket_prints_what_bot_takes() {
    let key = "5e".repeat(32);
    let ticket = sortie(&["ticket", "--battle-id", "2a", "--ticket-key", &key]).stdout;
    assert!(ticket.len() > 100, "it prints one");
    // `bot` says that it takes Base64; hexadecimal digits are other bytes there.
    assert!(sortie(&["bot", "--help"]).stdout.contains("<BASE64>"));
    let is_hex = ticket.trim().bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(!is_hex, "F29: `ticket` prints hexadecimal digits, `bot` takes Base64");
}
