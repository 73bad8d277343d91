//! Game modes on the command line and in reports.

use std::sync::LazyLock;

use clap::builder::PossibleValue;
use serde::{Deserialize, Serialize};
use sortie_battle::mode::{UnknownMode, named, of_name};
use sortie_sim::config::Mode;

/// A mode by the name that users type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModeName(pub Mode);

impl clap::ValueEnum for ModeName {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<ModeName>> =
            LazyLock::new(|| Mode::ALL.into_iter().map(ModeName).collect());
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let about = named(self.0).about().trim_end_matches('.');
        Some(PossibleValue::new(mode_name(self.0)).help(about))
    }
}

impl TryFrom<String> for ModeName {
    type Error = UnknownMode;

    fn try_from(name: String) -> Result<Self, UnknownMode> {
        of_name(&name).map(Self)
    }
}

impl From<ModeName> for String {
    fn from(ModeName(mode): ModeName) -> Self {
        mode_name(mode).to_owned()
    }
}

/// As users type it.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    named(mode).name()
}

/// What teams have left or have reached, by the name that the mode gives it; nothing where nobody
/// fights.
pub(crate) fn score(mode: Mode, [red, blue]: [u32; 2]) -> Option<String> {
    mode.score_name().map(|name| format!("{name} {red} : {blue}"))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_mode_can_be_typed_and_written_to_a_file() {
        for mode in Mode::ALL {
            let typed = ModeName::from_str(mode_name(mode), false).unwrap();
            assert_eq!(typed, ModeName(mode));
            let written = serde_json::to_value(typed).unwrap();
            assert_eq!(written, mode_name(mode));
            assert_eq!(serde_json::from_value::<ModeName>(written).unwrap(), typed);
        }
        let refused = serde_json::from_value::<ModeName>("chess".into()).unwrap_err().to_string();
        assert!(refused.contains("no mode 'chess'; there are"), "{refused}");
    }
}
