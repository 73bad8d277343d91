//! From the command line to the exit code: what the `main` of both binaries does.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sortie_kit::telemetry;

use crate::exit::{self, Failure, OrFail};
use crate::{config, environment, say};

/// How the help of both programs explains their configuration.
pub const CONFIGURATION_HELP: &str = "\
Configuration: each option may stand in a TOML file (--config FILE, one [section] per command,
keys as the flags without dashes), or in the environment as shown in the command's help; the
environment beats the file, flags beat both. --print-config shows what came of it.
";

/// Options that all commands share.
#[derive(Args)]
pub struct Common {
    /// TOML file with a section per command
    #[arg(long, value_name = "FILE", env = "SORTIE_CONFIG", global = true)]
    #[arg(help_heading = "Common options")]
    pub config: Option<PathBuf>,
    /// Print the effective configuration as TOML, secrets redacted, and end
    #[arg(long, global = true, help_heading = "Common options")]
    pub print_config: bool,
    /// Print one JSON report (battle, up, serve: one object a line) on stdout; logs stay on stderr
    #[arg(long, global = true, help_heading = "Common options")]
    pub json: bool,
    /// What is logged to stderr: error, warn, info, debug, trace, or a filter per module
    #[arg(long, value_name = "FILTER", default_value = "warn", env = "SORTIE_LOG", global = true)]
    #[arg(help_heading = "Common options")]
    pub log: String,
    /// How a line of the log looks: an object for machines, or for people
    #[arg(long, value_enum, default_value = "text", env = "SORTIE_LOG_FORMAT", global = true)]
    #[arg(help_heading = "Common options")]
    pub log_format: LogFormat,
}

/// The formats of the log by the names that users type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// An object a line
    Json,
}

impl LogFormat {
    /// As users type it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl From<LogFormat> for telemetry::Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// Examples, configuration and exit codes, as a program's help ends; `more_codes` are the lines of
/// the codes that only this program has.
#[must_use]
pub fn after_help(examples: &str, more_codes: &str) -> String {
    format!("{examples}\n{CONFIGURATION_HELP}\n{}{more_codes}", exit::HELP)
}

/// Reads the command line, runs what it asks for, and turns the outcome into an exit code.
pub fn run<C: CommandFactory + FromArgMatches>(
    dispatch: impl FnOnce(C, &ArgMatches) -> exit::Result,
) -> ExitCode {
    let command = C::command();
    let name = command.get_name().to_owned();
    let matches = command.get_matches();
    let cli = C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let outcome = dispatch(cli, &matches).and_then(|()| match say::unwritten() {
        None => Ok(()),
        Some(fault) => Err(Failure::Run.because(anyhow!("cannot write to stdout: {fault}"))),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::say_aside!("{name}: {error}");
            error.failure.into()
        }
    }
}

/// Where a command's options came from.
pub struct Origin<'a> {
    common: &'a Common,
    matches: &'a ArgMatches,
}

impl<'a> Origin<'a> {
    /// Of the command that `matches`, those of the whole program, name. Starts logging.
    ///
    /// # Errors
    /// `--log` makes no sense.
    pub fn new(common: &'a Common, matches: &'a ArgMatches) -> exit::Result<Self> {
        telemetry::init(&common.log, common.log_format.into()).or_fail(Failure::Usage)?;
        environment::warn_of_unknown();
        let (_, matches) = matches.subcommand().expect("clap asks for a command");
        Ok(Self { common, matches })
    }

    /// Lays the configuration file below `args`, then runs the command or prints what came of it.
    ///
    /// # Errors
    /// The file is unusable, or the command fails.
    pub fn run<T: Args + Serialize + DeserializeOwned>(
        &self,
        section: &str,
        args: T,
        command: fn(&T, &Common) -> exit::Result,
    ) -> exit::Result {
        let file = config::File::read(self.common.config.as_deref()).or_fail(Failure::Usage)?;
        let args = config::layered(section, args, self.matches, &file).or_fail(Failure::Usage)?;
        if self.common.print_config {
            crate::say_text!("{}", config::printed(section, &args).or_fail(Failure::Usage)?);
            return Ok(());
        }
        command(&args, self.common)
    }
}
