//! Configuration in layers: defaults < TOML file < environment < flags.
//!
//! clap reads defaults, environment and flags into one struct per command, and knows where each
//! value came from. [`layered`] puts the file's section of that command below whatever came from
//! a flag or the environment. Keys are the flags without their dashes.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::de::DeTable;
use toml::{Table, Value};

use crate::nearest::hint;

/// Sections that a configuration file may have, one per command.
pub const SECTIONS: [&str; 5] = ["up", "serve", "battle", "swarm", "sim"];

/// Keys whose values `--print-config` does not show.
const SECRETS: [&str; 5] = ["ticket-key", "database-url", "redis-url", "fleet-secret", "smtp-url"];

/// A configuration file as it was read; without one, nothing.
#[derive(Debug, Default)]
pub struct File {
    name: String,
    text: String,
    sections: Table,
}

impl File {
    /// Reads a file, if one was named.
    ///
    /// # Errors
    /// It cannot be read, or is no TOML with sections of ours.
    pub fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        Self::parse(path.display().to_string(), text)
    }

    fn parse(name: String, text: String) -> anyhow::Result<Self> {
        let sections: Table = toml::from_str(&text).map_err(|error| fault(&name, &text, &error))?;
        if let Some(stranger) = stranger(&text, &table_of(SECTIONS)) {
            bail!("{name}, {stranger} (the sections are [{}])", SECTIONS.join("], ["));
        }
        Ok(Self { name, text, sections })
    }
}

/// `args` as clap read them, with the file's values wherever neither flag nor environment spoke.
///
/// # Errors
/// The file's section has a key that is no option, or a value that fits none.
pub fn layered<T>(section: &str, args: T, matches: &ArgMatches, file: &File) -> anyhow::Result<T>
where
    T: Args + Serialize + DeserializeOwned,
{
    let File { name, text, sections } = file;
    let Some(below) = sections.get(section) else { return Ok(args) };
    let below =
        below.as_table().with_context(|| format!("{name}: '{section}' must be a [section]"))?;
    let mut known = table_of(SECTIONS);
    known.insert(section.to_owned(), keys::<T>().into());
    if let Some(stranger) = stranger(text, &known) {
        bail!("{name}, {stranger}");
    }
    let mut values = Table::try_from(args).context("options always serialise")?;
    for (key, value) in below {
        if !matches!(
            source(matches, key),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        ) {
            values.insert(key.clone(), value.clone());
        }
    }
    T::deserialize(values).map_err(|error| {
        anyhow!("{name}: [{section}]: {}", error.to_string().trim().replace('\n', " "))
    })
}

/// Where the value of a key came from; `None`: it has none.
fn source(matches: &ArgMatches, key: &str) -> Option<ValueSource> {
    let id = matches.ids().find(|id| key_of(id.as_str()) == key)?;
    matches.value_source(id.as_str())
}

/// The key of an option, whose id may be a field's name.
fn key_of(id: &str) -> String {
    id.replace('_', "-")
}

/// The keys that a command's section may have.
fn keys<T: Args>() -> Table {
    let command = T::augment_args(Command::new("keys"));
    let ids = command.get_arguments().map(|argument| argument.get_id().as_str());
    table_of(ids)
}

/// A table with the keys of these options, and nothing in it.
fn table_of<'a>(names: impl IntoIterator<Item = &'a str>) -> Table {
    names.into_iter().map(|name| (key_of(name), true.into())).collect()
}

/// A key of a document that `known` does not have: its line, and what it may have been meant to
/// be. Tables are looked into where `known` has tables.
pub fn stranger(text: &str, known: &Table) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    stranger_in(document.get_ref(), text, known)
}

fn stranger_in(table: &DeTable<'_>, text: &str, known: &Table) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name: &str = key.get_ref();
        match (known.get(name), value.get_ref().as_table()) {
            (None, _) => {
                let line = line_of(text, key.span().start);
                let hint = hint(name, known.keys().map(String::as_str));
                Some(format!("line {line}: there is no key `{name}`{hint}"))
            }
            (Some(Value::Table(known)), Some(inner)) => stranger_in(inner, text, known),
            _ => None,
        }
    })
}

/// What is wrong with a TOML document, after the name of its file and the line.
pub fn fault(name: &str, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let line = error.span().map(|span| format!(", line {}", line_of(text, span.start)));
    anyhow!("{name}{}: {}", line.unwrap_or_default(), error.message().replace('\n', ", "))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
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
        layered("battle", args, &matches, &File::parse("my.toml".to_owned(), file.to_owned())?)
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
    fn unknown_keys_and_wrong_types_are_refused_by_file_line_and_name() {
        for (text, told) in [
            (
                "[battle]\ntick-herz = 30",
                "my.toml, line 2: there is no key `tick-herz`; is it `tick-hz`?",
            ),
            (
                "\n[batle]\n",
                "my.toml, line 2: there is no key `batle`; is it `battle`? (the sections",
            ),
            ("battle = 3", "my.toml: 'battle' must be a [section]"),
            ("[battle]\ntick-hz = \"fast\"", "my.toml: [battle]: invalid type"),
            ("[battle]\ntick-hz = 1\ntick-hz = 2", "my.toml, line 3: duplicate key"),
        ] {
            let error = read_options(&["sortie"], text).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
        // The section of another command is that command's.
        assert!(read_options(&["sortie"], "[swarm]\nbotz = 3").is_ok());
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = Some("5ec4e7".to_owned());
        let options = Options { tick_hz: 60, ticket_key: key, dev_tickets: false };
        let text = printed("battle", &options).unwrap();
        assert!(text.contains("(redacted)") && !text.contains("5ec4e7"), "{text}");
    }
}
