//! Game modes in reports.

use sortie_sim::config::Mode;

/// As users type it.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Conquest => "conquest",
        Mode::Deathmatch => "deathmatch",
        Mode::Walk => "walk",
    }
}

/// What teams have left or have reached, by the name that the mode gives it.
pub(crate) fn score(mode: Mode, [red, blue]: [u32; 2]) -> String {
    let name = if mode == Mode::Conquest { "tickets" } else { "score" };
    format!("{name} {red} : {blue}")
}
