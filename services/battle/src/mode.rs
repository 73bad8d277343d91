//! Game modes by name and as the simulation has them: the one place where the two lists meet. A
//! mode that stands in one of them only does not compile here.

use sortie_rpc::game::GameMode;
use sortie_sim::config::Mode;

/// A mode of the simulation, as others know it.
pub fn named(mode: Mode) -> &'static GameMode {
    match mode {
        Mode::Conquest => &GameMode::Conquest,
        Mode::Deathmatch => &GameMode::Deathmatch,
        Mode::Walk => &GameMode::Walk,
    }
}

/// What the simulation plays for a name. `None`: a newer version's mode, which this server cannot
/// play.
pub fn played(mode: &GameMode) -> Option<Mode> {
    match mode {
        GameMode::Conquest => Some(Mode::Conquest),
        GameMode::Deathmatch => Some(Mode::Deathmatch),
        GameMode::Walk => Some(Mode::Walk),
        GameMode::Other(_) => None,
    }
}

/// A name that is of no mode here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no mode '{0}'; there are {all}", all = GameMode::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownMode(pub String);

/// What the simulation plays for a name.
///
/// # Errors
/// It plays nothing for it.
pub fn of_name(name: &str) -> Result<Mode, UnknownMode> {
    played(&GameMode::of_name(name)).ok_or_else(|| UnknownMode(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_one_of_the_simulation_and_the_other_way_round() {
        for mode in Mode::ALL {
            assert_eq!(played(named(mode)), Some(mode));
        }
        let played: Vec<Option<Mode>> = GameMode::ALL.iter().map(played).collect();
        assert_eq!(played, Mode::ALL.map(Some));
    }

    #[test]
    fn a_name_of_no_mode_is_refused_with_those_that_there_are() {
        assert_eq!(of_name("walk"), Ok(Mode::Walk));
        let refused = of_name("chess").unwrap_err().to_string();
        assert!(refused.starts_with("no mode 'chess'; there are conquest, "), "{refused}");
    }

    /// Files of rules, journals and what servers tell clients have the simulation's spelling.
    #[test]
    fn rules_name_modes_as_everybody_does() {
        for mode in Mode::ALL {
            assert_eq!(serde_json::to_value(mode).unwrap(), named(mode).name());
        }
    }
}
