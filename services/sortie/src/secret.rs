//! Secrets from the environment or from a file; on the command line others could read them.

use std::path::Path;

use anyhow::{Context, anyhow};
use sortie_battle::fleet::Secret;

use sortie_cli::units::key_from_hex;

/// The ticket key: given directly, or as the content of a file.
///
/// # Errors
/// Neither or both are given, or what is given is no key.
pub(crate) fn ticket_key(text: Option<&str>, file: Option<&Path>) -> anyhow::Result<[u8; 32]> {
    match (text, file) {
        (Some(text), None) => key_from_hex(text).map_err(|error| anyhow!("--ticket-key: {error}")),
        (None, Some(file)) => {
            let name = file.display();
            let bytes = std::fs::read(file)
                .with_context(|| format!("cannot read the ticket key file {name}"))?;
            // As `sortie battle --dev-tickets` keeps it in its data directory.
            if let Ok(key) = <[u8; 32]>::try_from(bytes.as_slice()) {
                return Ok(key);
            }
            let text = String::from_utf8(bytes).unwrap_or_default();
            key_from_hex(&text).map_err(|_| {
                anyhow!("the ticket key file {name}: neither 64 hexadecimal digits nor 32 bytes")
            })
        }
        (Some(_), Some(_)) => Err(anyhow!("give --ticket-key or --ticket-key-file, not both")),
        (None, None) => Err(anyhow!(
            "a ticket key is needed: --ticket-key-file FILE, SORTIE_TICKET_KEY_FILE or \
             SORTIE_TICKET_KEY"
        )),
    }
}

/// The secret of a fleet: given directly, or as the content of a file.
///
/// # Errors
/// Neither or both are given, or what is given is too short.
pub(crate) fn fleet_secret(text: Option<&str>, file: Option<&Path>) -> anyhow::Result<Secret> {
    match (text, file) {
        (Some(text), None) => Secret::new(text),
        (None, Some(file)) => {
            let name = file.display();
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read the fleet secret file {name}"))?;
            Secret::new(&text).with_context(|| format!("the fleet secret file {name}"))
        }
        (Some(_), Some(_)) => Err(anyhow!("give --fleet-secret or --fleet-secret-file, not both")),
        (None, None) => Err(anyhow!(
            "the fleet's secret is needed: --fleet-secret-file FILE, SORTIE_FLEET_SECRET_FILE or \
             SORTIE_FLEET_SECRET"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_from_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let text = "ab".repeat(32);
        std::fs::write(&file, format!("{text}\n")).unwrap();
        assert_eq!(ticket_key(None, Some(&file)).unwrap(), [0xab; 32]);
        assert_eq!(ticket_key(Some(&text), None).unwrap(), [0xab; 32]);
        assert!(ticket_key(Some(&text), Some(&file)).is_err());
        std::fs::write(&file, [0xab; 32]).unwrap();
        assert_eq!(ticket_key(None, Some(&file)).unwrap(), [0xab; 32]);
        std::fs::write(&file, [0xab; 31]).unwrap();
        assert!(ticket_key(None, Some(&file)).is_err());
        assert!(ticket_key(None, None).is_err());
        let error = ticket_key(Some("secret"), None).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
