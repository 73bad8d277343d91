//! Why a set of rules is refused.

/// Why a document is no valid set of rules.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// No TOML, or unknown, missing or mistyped keys; the message names line and key.
    #[error("{0}")]
    Syntax(String),
    /// A value that cannot be.
    #[error("{0}")]
    Value(String),
}

/// `rule` as an error unless it `holds`.
pub(super) fn check(holds: bool, rule: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Value(rule.to_owned())) }
}
