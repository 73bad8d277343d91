//! `sortie openapi`: the OpenAPI document of all services.

use clap::Args;

use crate::exit::{Failure, OrFail, Result};
use crate::plane::openapi;
use crate::runtime;

/// Options of `sortie openapi`.
#[derive(Args)]
#[command(after_help = "\
Example:
  sortie openapi >docs/openapi.json

A running node serves the same document as /v1/openapi.json.")]
pub struct OpenapiArgs {}

/// Prints it.
pub fn run(_: &OpenapiArgs) -> Result {
    let runtime = runtime::small().or_fail(Failure::Start)?;
    print!("{}", runtime.block_on(async { openapi::text() }));
    Ok(())
}
