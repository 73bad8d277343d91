//! `sortie ticket`: a join ticket for development.

use std::path::PathBuf;

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use sortie_players::ticket::{self, TicketRequest};
use sortie_wire::limits::NAME_BYTES_MAX;

use crate::secret;
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::units::Span;

/// Options of `sortie ticket`.
#[derive(Args)]
#[command(after_help = "\
Example:
  sortie battle --dev-tickets --json           prints battle_id and dev_ticket_key, then
  sortie ticket --battle-id HEX --ticket-key HEX --player 7 --name Ada    prints a ticket, then
  sortie bot --server ADDR --fingerprint HEX --join-ticket TICKET

A ticket admits one player once, and expires after 30 s at the latest. In production the control
plane issues tickets; its private key never leaves it.")]
pub(crate) struct TicketArgs {
    /// Private Ed25519 seed, hexadecimal
    #[arg(long, value_name = "HEX", env = "SORTIE_TICKET_KEY", hide_env_values = true)]
    ticket_key: Option<String>,
    /// File with that seed: 64 hexadecimal digits, or the 32 bytes of a data directory's
    /// dev-ticket-key
    #[arg(long, value_name = "FILE", env = "SORTIE_TICKET_KEY_FILE")]
    ticket_key_file: Option<PathBuf>,
    /// The battle, as its ready line shows it
    #[arg(long, value_name = "HEX", env = "SORTIE_BATTLE_ID")]
    battle_id: String,
    /// Who plays: any number; the same number is the same player
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    player: u128,
    /// The name that others see
    #[arg(long, value_name = "TEXT", default_value = "player", value_parser = name_of)]
    name: String,
    /// How long the ticket is good for, 30 s at most
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    valid: Span,
}

/// A name as tickets may have one.
fn name_of(text: &str) -> std::result::Result<String, String> {
    let is_name = (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    let rule = || format!("a name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
    is_name.then(|| text.to_owned()).ok_or_else(rule)
}

/// Prints the ticket in Base64, as the control plane's API tells it and `sortie bot` takes it.
pub(crate) fn run(args: &TicketArgs, common: &Common) -> Result {
    let seed = secret::ticket_key(args.ticket_key.as_deref(), args.ticket_key_file.as_deref())
        .or_fail(Failure::Usage)?;
    let battle_id = u128::from_str_radix(args.battle_id.trim(), 16)
        .map_err(|_| anyhow!("--battle-id: not all of it is hexadecimal digits"))
        .or_fail(Failure::Usage)?;
    let request = TicketRequest {
        battle_id,
        player_key: args.player,
        name: args.name.clone(),
        team: None,
        class: 0,
        valid: args.valid.0,
    };
    let text = BASE64.encode(ticket::issue(&seed, &request).or_fail(Failure::Usage)?);
    if common.json {
        sortie_cli::say!("{}", serde_json::json!({ "ticket": text }));
    } else {
        sortie_cli::say!("{text}");
    }
    Ok(())
}
