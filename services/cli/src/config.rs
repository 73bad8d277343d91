//! Configuration in layers: defaults < TOML file < environment < flags.
//!
//! clap reads defaults, environment and flags into one struct per command, and knows where each
//! value came from. [`layered`] puts the file's section of that command below whatever came from
//! a flag or the environment. Keys are the flags without their dashes.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

/// Sections that a configuration file may have, one per command.
pub const SECTIONS: [&str; 5] = ["up", "serve", "battle", "swarm", "sim"];

/// Keys whose values `--print-config` does not show.
const SECRETS: [&str; 5] = ["ticket-key", "database-url", "redis-url", "fleet-secret", "smtp-url"];

/// `args` as clap read them, with the file's values wherever neither flag nor environment spoke.
pub fn layered<T>(section: &str, args: T, matches: &ArgMatches, file: &Table) -> anyhow::Result<T>
where
    T: Serialize + DeserializeOwned,
{
    let Some(below) = file.get(section) else { return Ok(args) };
    let below = below.as_table().with_context(|| format!("'{section}' must be a [section]"))?;
    let mut values = Table::try_from(args).context("options always serialise")?;
    for (key, value) in below {
        let id = key.replace('-', "_");
        // An unknown id panics in `value_source`; the deserialiser below names it instead.
        let known = matches.try_contains_id(&id).is_ok();
        let spoken = known
            && matches!(
                matches.value_source(&id),
                Some(ValueSource::CommandLine | ValueSource::EnvVariable)
            );
        if !spoken {
            values.insert(key.clone(), value.clone());
        }
    }
    T::deserialize(values)
        .map_err(|error| anyhow!("[{section}]: {}", error.to_string().trim().replace('\n', " ")))
}

/// Reads a configuration file; an empty table without one.
pub fn read(path: Option<&Path>) -> anyhow::Result<Table> {
    let Some(path) = path else { return Ok(Table::new()) };
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration file {name}"))?;
    let table: Table = text.parse().with_context(|| format!("{name} is no valid TOML"))?;
    if let Some(unknown) = table.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
        bail!("{name}: unknown key '{unknown}'; the sections are [{}]", SECTIONS.join("], ["));
    }
    Ok(table)
}

/// The effective configuration of one command as TOML that `--config` takes back, without
/// secrets.
pub fn printed<T: Serialize>(section: &str, args: &T) -> anyhow::Result<String> {
    let mut values = Table::try_from(args)?;
    for secret in SECRETS {
        if let Some(value) = values.get_mut(secret) {
            *value = "(redacted)".into();
        }
    }
    let mut sections = Table::new();
    sections.insert(section.to_owned(), values.into());
    Ok(toml::to_string(&sections)?)
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};
    use serde::Deserialize;

    use super::*;

    #[derive(Args, Serialize, Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Options {
        #[arg(long, default_value = "60")]
        tick_hz: u32,
        #[arg(long)]
        ticket_key: Option<String>,
        #[arg(long)]
        dev_tickets: bool,
    }

    fn read_options(flags: &[&str], file: &str) -> anyhow::Result<Options> {
        let matches = Options::augment_args(Command::new("sortie")).get_matches_from(flags);
        let args = Options::from_arg_matches(&matches)?;
        layered("battle", args, &matches, &file.parse()?)
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let file = "[battle]\ntick-hz = 30\ndev-tickets = true";
        let options = read_options(&["sortie"], file).unwrap();
        assert_eq!((options.tick_hz, options.dev_tickets), (30, true));
        assert_eq!(read_options(&["sortie", "--tick-hz", "128"], file).unwrap().tick_hz, 128);
        assert_eq!(read_options(&["sortie"], "").unwrap().tick_hz, 60);
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_refused_by_name() {
        let unknown = read_options(&["sortie"], "[battle]\ntick-herz = 30").unwrap_err();
        assert!(unknown.to_string().contains("`tick-herz`"), "{unknown}");
        assert!(read_options(&["sortie"], "[battle]\ntick-hz = \"fast\"").is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = Some("5ec4e7".to_owned());
        let options = Options { tick_hz: 60, ticket_key: key, dev_tickets: false };
        let text = printed("battle", &options).unwrap();
        assert!(text.contains("(redacted)") && !text.contains("5ec4e7"), "{text}");
    }
}
