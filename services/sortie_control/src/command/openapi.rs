//! `sortie-control openapi`: the OpenAPI document of all services.

use clap::Args;

use crate::control_plane::openapi;
use crate::runtime;
use sortie_cli::exit::{Failure, OrFail, Result};

/// Options of `sortie-control openapi`.
#[derive(Args)]
#[command(after_help = "\
Example:
  sortie-control openapi >docs/openapi.json

A running node serves the same document as /v1/openapi.json.")]
pub(crate) struct OpenapiArgs {}

/// Prints it.
pub(crate) fn run(_: &OpenapiArgs) -> Result {
    let runtime = runtime::small().or_fail(Failure::Start)?;
    sortie_cli::say_text!("{}", runtime.block_on(async { openapi::text() }));
    Ok(())
}
