//! Which code may write rows that a rule of the whole product depends on.

use sortie_tidy::{assert_none, rust_sources};

/// Who brings players to places.
const PLACES_HOME: &str = "services/control/src/whereabouts.rs";

/// Modules of tests in a file of their own: `#[cfg(test)]` stands where they are declared.
const TESTS: [&str; 1] = ["services/sortie_control/src/plane/erasure.rs"];

/// It writes rows of a battle that is over, which hold nobody.
const RESULTS_HOME: &str = "services/ranking/src/report/write.rs";

#[test]
fn players_come_to_places_by_one_way() {
    let tables = ["ticket_open", "party_member", "room_player", "battle_player"];
    let takes = |text: &str| {
        tables.iter().any(|table| text.contains(&format!("insert into {table} ")))
            || text.contains("set gone_at = null")
    };
    let mut findings = Vec::new();
    for file in rust_sources() {
        let is_home = [PLACES_HOME, RESULTS_HOME].contains(&file.path.as_str());
        let is_test = TESTS.contains(&file.path.as_str());
        if is_home || is_test || !file.path.starts_with("services/") {
            continue;
        }
        findings.extend(file.findings(|line| !line.in_test && takes(&line.text)));
    }
    let why = format!("a player is in one place; {PLACES_HOME} brings players to places:");
    assert_none(&why, &findings);
}
